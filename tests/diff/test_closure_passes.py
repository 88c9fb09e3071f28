"""LBFGS: later passes of a step follow from what the optimizer was told, which is named instead."""

from typing import Any

import pytest

from reference.diff.closure_passes import causes_before_later_calls
from reference.diff.link_comparators import COMPARATORS
from reference.diff.unequal import Pair, RateDifference, Unequal

RATE = RateDifference(1, Unequal("optimizer", "learning_rate", 0.1, 0.2))


def step(**changed: Any) -> dict[str, Any]:
    """A step of two calls of a closure, each of one forward pass."""
    record: dict[str, Any] = {
        "batch": [{"x": ["a", [5, 4], "float32", None]}] * 2,
        "weights": {"hash": "w"},
        "forward": [{"loss": 0.7}, {"loss": 0.65}],
        "gradient": {"backward_passes": 2, "norms_after": [1.0, 0.5]},
        "clip": {"hash": "c", "norm": 0.5, "closure_calls": 2},
        "optimizer": {
            "index": 0,
            "class": "LBFGS",
            "hyper": [{"history_size": 100}],
            "of": "0",
            "strangers": 0,
            "how": {},
        },
    }
    return {**record, **changed}


LATER_LOSS = step(forward=[{"loss": 0.7}, {"loss": 0.61}])


def causes(link: str, other: dict[str, Any], rate: RateDifference | None = None) -> list[Unequal]:
    pair = Pair(step(), other, ("a",), rate)
    return causes_before_later_calls(pair, link, list(COMPARATORS[link](pair)))


def test_the_written_example() -> None:
    """Another loss in the second call only: the learning rate is the cause."""
    assert causes("forward", LATER_LOSS, RATE) == [RATE.unequal]


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"weights": {"hash": "other"}}, ("weights", "hash")),
        ({"forward": [{"loss": 0.6}, {"loss": 0.61}]}, ("forward", "loss")),
        (
            {"gradient": {"backward_passes": 2, "norms_after": [1.1, 0.5]}},
            ("gradient", "norm after the first call"),
        ),
        ({}, ("optimizer", "learning_rate")),
    ],
)
def test_the_first_of_these_that_is_unequal(
    changed: dict[str, Any], cause: tuple[str, str]
) -> None:
    """Where a later call's batch is another one, from the start of the step to what was told."""
    batch = [step()["batch"][0], {"x": ["b", [5, 4], "float32", None]}]
    (named, *_) = causes("batch", step(batch=batch, **changed), RATE)
    assert (named.link, named.field) == cause


def test_what_is_unequal_by_itself_is_left_as_it_is() -> None:
    assert causes("forward", step(forward=[{"loss": 0.6}, {"loss": 0.61}]), RATE) == []
    assert causes("forward", LATER_LOSS) == []  # nothing before it is unequal
    assert causes("optimizer", step(), RATE) == []  # no link of later calls
    single = step(clip={"hash": "c", "norm": 0.5})
    assert causes("forward", {**LATER_LOSS, **single, "forward": LATER_LOSS["forward"]}, RATE) == []
