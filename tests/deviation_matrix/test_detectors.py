"""The checks of others, each on numbers just within its bound and just beyond; what they add up to.

The matrix's own runs: `tests/deviation_matrix/test_runs.py`.
"""

import math

import pytest
import torch

from reference.deviation_matrix.detectors import (
    DETECTORS,
    OURS,
    Control,
    Matrix,
    Row,
    Run,
    failed_by,
)

STEPS = 200
LOSSES = tuple(0.7 - 0.002 * step for step in range(STEPS))
SCORES = {"accuracy": 0.9, "f1": 0.93}


def weights(*values: float) -> dict[str, torch.Tensor]:
    # In float64, so that it is the bound that is tested and not a rounding.
    return {
        "a": torch.zeros(2, dtype=torch.float64),
        "b": torch.tensor(values, dtype=torch.float64),
    }


FAITHFUL = Run(LOSSES, SCORES, weights(0.5, -0.5))


def losses(*changed: tuple[int, float], times: float = 1.0, plus: float = 0.0) -> Run:
    """All losses times and plus something; and some of them, by their places, plus more."""
    found = [loss * times + plus for loss in LOSSES]
    for place, more in changed:
        found[place] += more
    return Run(tuple(found), SCORES, FAITHFUL.weights)


def off_by(share: float, steps: int) -> Run:
    """The loss is off by a share of itself at so many steps."""
    return losses(*((place, share * LOSSES[place]) for place in range(steps)))


def accuracy(value: float) -> Run:
    return Run(LOSSES, {**SCORES, "accuracy": value}, FAITHFUL.weights)


def with_weights(*values: float) -> Run:
    return Run(LOSSES, SCORES, weights(*values))


WITHIN = [
    ("accuracy", accuracy(0.82)),
    ("last loss", losses((-1, 1.4e-5))),
    ("last loss", losses((-2, 1.0))),
    ("losses", losses((7, 0.99e-4))),
    ("mean loss", losses(plus=0.99e-6)),
    ("mean loss", losses((7, 0.99e-6 * STEPS))),
    ("weights", with_weights(0.5 + 1.49e-6, -0.5)),
    ("5 %", off_by(0.049, STEPS)),
    ("5 %", off_by(1.0, 2)),
]
BEYOND = [
    ("accuracy", accuracy(0.8199)),
    ("accuracy", accuracy(math.nan)),
    ("accuracy", Run(LOSSES, {"f1": 0.93}, FAITHFUL.weights)),
    ("last loss", losses((-1, 1.6e-5))),
    ("last loss", losses((-1, -1.6e-5))),
    ("last loss", losses((-1, math.nan))),
    ("losses", losses((7, 1.01e-4))),
    ("losses", losses((7, math.nan))),
    ("mean loss", losses(plus=-1.01e-6)),
    ("mean loss", losses((7, 1.01e-6 * STEPS))),
    ("weights", with_weights(0.5 + 1.51e-6, -0.5)),
    ("weights", with_weights(0.5, math.nan)),
    ("weights", Run(LOSSES, SCORES, {"a": FAITHFUL.weights["a"]})),
    ("5 %", off_by(0.051, 3)),
    ("5 %", off_by(math.nan, 3)),
]
ONE_STEP_LESS = Run(LOSSES[:-1], SCORES, FAITHFUL.weights)
NOTHING = Run((), {}, {})


def failed(run: Run, verdict: str = "identical") -> frozenset[str]:
    return failed_by(FAITHFUL, run, verdict)


@pytest.mark.parametrize(("name", "run"), WITHIN)
def test_passes_what_is_within_its_bound(name: str, run: Run) -> None:
    assert name not in failed(run)


@pytest.mark.parametrize(("name", "run"), BEYOND)
def test_fails_what_is_beyond_its_bound(name: str, run: Run) -> None:
    assert name in failed(run)


def test_each_is_tested_on_both_sides_and_says_where_it_is_from() -> None:
    names = {d.name for d in DETECTORS}
    assert {name for name, _ in WITHIN} == {name for name, _ in BEYOND} == names
    assert all(d.rule and d.source for d in DETECTORS)


def test_none_fails_the_same_run() -> None:
    assert failed(FAITHFUL) == frozenset()


def test_another_number_of_steps_is_another_run_to_those_that_compare_each_step() -> None:
    assert {"losses", "mean loss", "5 %"} <= failed(ONE_STEP_LESS)


def test_all_fail_a_run_that_never_stepped() -> None:
    assert failed(NOTHING, "diverged") == {OURS, *(d.name for d in DETECTORS)}


@pytest.mark.parametrize(
    ("steps", "off", "fails"),
    [(1, 0, False), (1, 1, True), (10, 1, False), (10, 2, True), (10_000, 51, True)],
)
def test_how_many_steps_may_be_off_by_five_percent(steps: int, off: int, fails: bool) -> None:
    """As Megatron-LM counts: one of a few, never more than 50."""
    faithful = Run((1.0,) * steps, {}, {})
    run = Run((2.0,) * off + (1.0,) * (steps - off), {}, {})
    assert ("5 %" in failed_by(faithful, run, "identical")) == fails


@pytest.mark.parametrize("verdict", ["identical", "diverged", "incomparable"])
def test_ours_is_the_verdict_of_diff(verdict: str) -> None:
    assert (OURS in failed(FAITHFUL, verdict)) == (verdict == "diverged")


def row(setting: str, **changes: object) -> Row:
    known = {"step": 1, "link": "clip", "failed": frozenset({OURS, "last loss", "accuracy"})}
    return Row("no-clip", "no-clip", setting, "diverged", **{**known, **changes})  # type: ignore[arg-type]


def test_a_check_with_false_alarms_sees_nothing_at_that_setting() -> None:
    controls = (
        Control("short", "trainer", "identical", frozenset()),
        Control("short", "accelerated", "identical", frozenset({"accuracy"})),
        Control("long", "trainer", "identical", frozenset()),
    )
    matrix = Matrix((row("short"), row("long")), controls)
    assert [matrix.sees(r, "accuracy") for r in matrix.rows] == [None, True]
    assert [matrix.sees(r, "last loss") for r in matrix.rows] == [True, True]
    assert [matrix.sees(r, "weights") for r in matrix.rows] == [False, False]
    assert (matrix.false_alarms("accuracy", "short"), matrix.false_alarms(OURS, "short")) == (1, 0)


def test_named_is_proven_under_its_own_name() -> None:
    assert row("s", explained=("no-clip",), proven=True).named
    assert not row("s", explained=("no-clip",), proven=False).named
    assert not row("s", explained=("clip-norm 99",), proven=True).named
    assert not row("s", explained=("no-clip", "eps 1e-06"), proven=True).named
