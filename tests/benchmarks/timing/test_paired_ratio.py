"""The statistics of pairs, by numbers whose truth is known."""

from typing import Any

import numpy as np
import pytest

from benchmarks.timing import paired_ratio
from benchmarks.timing.paired_ratio import ratio


def times(scale: float, seed: int) -> list[list[float]]:
    """Rounds of steps with noise of 3 %."""
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(0.010, 0.0003, size=(24, 42))).tolist()


def test_an_interval_holds_the_ratio_and_narrows_with_more_rounds() -> None:
    found = ratio(times(1.05, 1), times(1.0, 2))
    assert found.low < 1.05 < found.high
    assert found.width < 0.01
    few = ratio(times(1.05, 1)[:2], times(1.0, 2)[:2])
    assert few.width > found.width
    assert found == ratio(times(1.05, 1), times(1.0, 2))  # the same times, the same interval


def test_a_drift_that_falls_on_both_moves_nothing() -> None:
    drift = np.linspace(1, 1.25, 24)[:, None]
    a, b = np.asarray(times(1.05, 1)) * drift, np.asarray(times(1.0, 2)) * drift
    assert abs(ratio(a.tolist(), b.tolist()).median - 1.05) < 0.005


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([[1.0]], [[1.0]]),  # one round
        ([[1.0], [1.0]], [[1.0], [0.0]]),
        ([[1.0], [float("nan")]], [[1.0], [1.0]]),
        ([[1.0], [1.0]], [[1.0, 1.0], [1.0, 1.0]]),
    ],
)
def test_what_is_no_pair_is_refused(a: Any, b: Any) -> None:
    with pytest.raises(ValueError, match=r"shape|above zero"):
        ratio(a, b)


@pytest.mark.parametrize("rounds", [2, 3, 4, 8, 26])
@pytest.mark.parametrize("between", [0.0, 0.004])
def test_an_interval_holds_the_truth_as_often_as_it_says(
    rounds: int, between: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds that differ as models made anew do, and pairs within them: 95 %, or more."""
    monkeypatch.setattr(paired_ratio, "RESAMPLES", 400)
    rng, truth, tries = np.random.default_rng(3), 1.03, 250
    held = 0
    for _ in range(tries):
        a = truth * np.exp(rng.normal(0, between, (rounds, 1)) + rng.normal(0, 0.003, (rounds, 6)))
        found = ratio(a, np.ones_like(a))
        held += found.low <= truth <= found.high
    # 0.92: two standard deviations of so many tries. Without the widening, 2 rounds: 0.69.
    assert held / tries >= 0.92


@pytest.mark.parametrize("rounds", [2, 3])
def test_rounds_of_one_pair_hold_the_truth_too(
    rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired_ratio, "RESAMPLES", 400)
    rng, tries = np.random.default_rng(4), 600
    held = 0
    for _ in range(tries):
        a = 1.03 * np.exp(rng.normal(0, 0.004, (rounds, 1)))
        found = ratio(a, np.ones_like(a))
        held += found.low <= 1.03 <= found.high
    assert held / tries >= 0.9  # of so few medians it isn't quite 95 %


def test_a_pair_is_of_neighbours_and_its_freedom_is_that_of_the_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        paired_ratio, "_student", lambda freedom: asked.append(freedom) or paired_ratio.NORMAL
    )
    drift = np.linspace(1, 2, 28).reshape(4, 7)
    found = ratio(1.05 * drift, drift)
    assert asked == [3]
    assert found.low == pytest.approx(1.05)
    assert found.high == pytest.approx(1.05)


def test_the_widening_is_students() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in range(1, 200):
        assert paired_ratio._student(freedom) == pytest.approx(
            stats.t.ppf(0.975, freedom), abs=0.005
        )
