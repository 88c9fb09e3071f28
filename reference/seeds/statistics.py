"""What many seeds' values of a score come to: mean, spread, range, and where one more would lie.

Two intervals, of two kinds. The mean's is Student's, by SciPy. One more seed's takes no
distribution for granted: scores of fine-tuned models aren't normal, as now and then a seed learns
little (Mosbach et al. 2021, arXiv:2006.04884). Of the accuracies of `ranges/embedded.json`
Student's interval for one more, at 99 %, leaves out two, and goes far beyond the best of them.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95  # that the mean of all seeds lies within `mean_interval`

Interval = tuple[float, float]


@dataclass(frozen=True)
class Statistics:
    """Of one score over many seeds.

    Attributes:
        n: How many seeds.
        mean: Their mean.
        standard_deviation: Their spread, as that of a sample: by n - 1.
        lowest: The lowest score.
        highest: The highest score. One more seed's lies from the lowest to it with the probability
            `coverage(n)`.
        mean_interval: The confidence interval of the mean, at `CONFIDENCE`.
    """

    n: int
    mean: float
    standard_deviation: float
    lowest: float
    highest: float
    mean_interval: Interval


def coverage(n: int) -> float:
    """How probable it is that one more seed's score lies within the range of n.

    Of n + 1 seeds each is as likely as any other to have the lowest score, and so the highest: the
    new one has neither in n - 1 of n + 1 cases, whatever the distribution, and in more of them
    where scores may be equal (Wilks 1941, Annals of Mathematical Statistics 12).
    """
    return (n - 1) / (n + 1)


def statistics_of(values: Sequence[float]) -> Statistics:
    """The statistics of a score.

    Args:
        values: Of two seeds at least, in any order.
    """
    n, mean, spread = len(values), statistics.fmean(values), statistics.stdev(values)
    interval = _mean_interval(n, mean, spread)
    return Statistics(n, mean, spread, min(values), max(values), interval)


def _mean_interval(n: int, mean: float, spread: float) -> Interval:
    """Student's interval about the mean; where nothing spreads, it is the mean."""
    if spread == 0:
        return mean, mean
    from scipy import stats  # half a second, and for this alone

    low, high = stats.t.interval(CONFIDENCE, n - 1, loc=mean, scale=spread / n**0.5)
    return float(low), float(high)
