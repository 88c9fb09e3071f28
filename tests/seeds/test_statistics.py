"""Mean, spread and intervals: against tables, and against scores that were drawn."""

import math
import random

import pytest

from reference.seeds.statistics import coverage, statistics_of


def test_the_statistics_of_five_numbers() -> None:
    """Student's t for 4 degrees of freedom at 95 % is 2.776445 in any table."""
    one = statistics_of([3.0, 1.0, 5.0, 2.0, 4.0])
    assert (one.n, one.mean, one.lowest, one.highest) == (5, 3.0, 1.0, 5.0)
    assert one.standard_deviation == pytest.approx(math.sqrt(2.5), abs=1e-12)
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert one.mean_interval == pytest.approx((3 - half, 3 + half), abs=1e-6)


def test_what_does_not_spread_has_an_interval_of_one_point() -> None:
    one = statistics_of([0.85, 0.85, 0.85])
    assert (one.standard_deviation, one.mean_interval) == (0.0, (0.85, 0.85))


@pytest.mark.parametrize(("n", "share"), [(2, 1 / 3), (6, 5 / 7), (30, 29 / 31)])
def test_one_more_lies_within_the_range_as_often_as_is_said(n: int, share: float) -> None:
    """Drawn from what is far from normal: most learn, a few learn little."""
    assert coverage(n) == pytest.approx(share)
    draw = random.Random(1)

    def score() -> float:
        return draw.gauss(0.91, 0.01) if draw.random() < 0.85 else draw.uniform(0.7, 0.85)

    within, rounds = 0, 4000
    for _ in range(rounds):
        seeds = [score() for _ in range(n)]
        within += min(seeds) <= score() <= max(seeds)
    assert within / rounds == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / rounds))
