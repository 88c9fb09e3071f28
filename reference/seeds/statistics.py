"""What many seeds' values of a score come to: mean, spread, range and two intervals.

The intervals are Student's, by SciPy: they take the score of another seed for normally distributed.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95  # that the mean of all seeds lies within `mean_interval`
# That one more seed's score lies within `prediction_interval`. At 0.95 one sound run in twenty
# would be called unusual; what is worth a look is farther out.
PREDICTION = 0.99

Interval = tuple[float, float]


@dataclass(frozen=True)
class Statistics:
    """Of one score over many seeds.

    Attributes:
        n: How many seeds.
        mean: Their mean.
        standard_deviation: Their spread, as that of a sample: by n - 1.
        lowest: The lowest score.
        highest: The highest score.
        mean_interval: The confidence interval of the mean, at `CONFIDENCE`.
        prediction_interval: Where one more seed's score lies, at `PREDICTION`.
    """

    n: int
    mean: float
    standard_deviation: float
    lowest: float
    highest: float
    mean_interval: Interval
    prediction_interval: Interval


def statistics_of(values: Sequence[float]) -> Statistics:
    """The statistics of a score.

    Args:
        values: Of two seeds at least, in any order.
    """
    n, mean, spread = len(values), statistics.fmean(values), statistics.stdev(values)
    return Statistics(
        n,
        mean,
        spread,
        min(values),
        max(values),
        _interval(CONFIDENCE, n, mean, spread * (1 / n) ** 0.5),
        _interval(PREDICTION, n, mean, spread * (1 + 1 / n) ** 0.5),
    )


def _interval(level: float, n: int, mean: float, scale: float) -> Interval:
    """Student's interval about the mean; where nothing spreads, it is the mean."""
    if scale == 0:
        return mean, mean
    from scipy import stats  # half a second, and for this alone

    low, high = stats.t.interval(level, n - 1, loc=mean, scale=scale)
    return float(low), float(high)
