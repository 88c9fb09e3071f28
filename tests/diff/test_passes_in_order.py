"""Passes of a step in another order: each thing that is told of a pass goes with it."""

from typing import Any

import pytest

from reference.diff.earlier_steps import batch_key
from reference.diff.passes_in_order import ORDER, in_same_order
from reference.diff.unequal import NOTE, SOFT

Record = dict[str, Any]


def step(numbers: list[int], norm: float = 1.0, drawn: bool = False, gives: int = 0) -> Record:
    """A step whose passes have these numbers, by which all of a pass is made."""
    modes = [{"training": n % 2 == 0, "autocast": None} for n in numbers]
    return {
        "batch": [{"x": [f"batch{n}", [8, 4], "float32", None]} for n in numbers],
        "rng": {"torch": ["state", drawn]},
        "mode": {**modes[0], "later": modes[1:]},
        "forward": [{"output": [f"{n + gives:016x}", [8], [float(n + gives)]]} for n in numbers],
        "gradient": {"norm": norm},
        "inside": [{"calls": n} for n in numbers],
        "chores": {"scales": [1.0 * n for n in numbers], "padded": numbers, "unzeroed": 2},
    }


@pytest.mark.parametrize("theirs", [[2, 1, 3], [3, 1, 2], [3, 2, 1]])
def test_everything_of_a_pass_goes_with_it(theirs: list[int]) -> None:
    changed, unequal = in_same_order(step([1, 2, 3]), step(theirs))
    assert changed == step([1, 2, 3])
    assert [u.field for u in unequal] == [ORDER]


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({"norm": 1.0000001}, SOFT),  # added up in another order
        ({"norm": 2.0}, NOTE),
        ({"gives": 1}, NOTE),
        ({"gives": 1, "drawn": True}, SOFT),
    ],
)
def test_an_order_that_can_do_nothing_is_no_cause(changes: Any, weight: str) -> None:
    _, unequal = in_same_order(step([1, 2]), step([2, 1], **changes))
    assert [u.weight for u in unequal] == [weight]


def test_an_order_that_did_nothing_before_is_no_cause() -> None:
    _, unequal = in_same_order(step([1, 2]), step([2, 1]), known=True)
    assert [u.weight for u in unequal] == [NOTE]


def test_the_same_batches_are_known_again_in_another_order() -> None:
    assert batch_key(step([1, 2])) == batch_key(step([2, 1])) != batch_key(step([1, 3]))
