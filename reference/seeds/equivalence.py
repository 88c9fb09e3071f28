"""Two recipes by paired seeds: is the difference of their scores shown to be smaller than a margin?

    python -m reference seeds runs/A runs/B --margin 0.01

Two one-sided tests (Schuirmann 1987, doi:10.1007/BF01068419), each SciPy's paired t-test: that the
mean difference lies above minus the margin, and that it lies below the margin. A t-test that finds
no difference shows none: with few seeds it finds none anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reference.errors import InputError
from reference.seeds.seed_scores import SeedScores
from reference.seeds.statistics import Interval

# A percent point: four of MRPC's 408 pairs. Another seed alone moves a run by more (see `ranges/`),
# so nobody who trains once can see less.
MARGIN = 0.01
ALPHA = 0.05  # of each of the two tests, and so of both
SAME = 1e-12  # differences this near to each other are equal: scores are quotients of small numbers

EQUIVALENT, NOT_EQUIVALENT, NOT_SHOWN = "equivalent", "not equivalent", "not shown"


@dataclass(frozen=True)
class Paired:
    """One score of two recipes, seed by seed.

    Attributes:
        score: Its name.
        differences: A's less B's, by seed.
        mean: Of the differences.
        interval: Of their mean, at 1 - 2 `ALPHA`: within the margins where both tests say so.
        p_above: Of the test that the mean difference is above minus the margin.
        p_below: Of the test that it is below the margin.
        margin: What is too small to matter.
    """

    score: str
    differences: dict[int, float]
    mean: float
    interval: Interval
    p_above: float
    p_below: float
    margin: float

    @property
    def verdict(self) -> str:
        """Equivalent where both tests say so; not equivalent where the interval lies outside."""
        if max(self.p_above, self.p_below) < ALPHA:
            return EQUIVALENT
        outside = self.interval[0] > self.margin or self.interval[1] < -self.margin
        return NOT_EQUIVALENT if outside else NOT_SHOWN


def pair(a: SeedScores, b: SeedScores, margin: float = MARGIN) -> list[Paired]:
    """Compare two recipes by the seeds that both were trained with.

    Args:
        a: The one.
        b: The other.
        margin: What is too small to matter, as the scores count: 0.01 is a percent point.

    Returns:
        One comparison for each score.

    Raises:
        InputError: they share fewer than two seeds, or their scores are other ones.
    """
    if not margin > 0:
        raise InputError(f"--margin: {margin} makes no sense; give a number above 0, as {MARGIN}")
    if a.score_names != b.score_names:
        raise InputError(
            f"{a.name}, {b.name}: their scores are {', '.join(a.score_names)} and "
            f"{', '.join(b.score_names)}; give two recipes for one task"
        )
    shared = [seed for seed in a.metrics if seed in b.metrics]
    if len(shared) < 2:
        raise InputError(
            f"{a.name}, {b.name}: {len(shared)} seeds are in both; train both by the same seeds"
        )
    return [_paired(score, a, b, shared, margin) for score in a.score_names]


def verdict_of(pairs: Sequence[Paired]) -> str:
    """On all scores: equivalent if each is, not equivalent if any isn't."""
    verdicts = {each.verdict for each in pairs}
    if NOT_EQUIVALENT in verdicts:
        return NOT_EQUIVALENT
    return EQUIVALENT if verdicts == {EQUIVALENT} else NOT_SHOWN


def _paired(
    score: str, a: SeedScores, b: SeedScores, shared: Sequence[int], margin: float
) -> Paired:
    left, right = (
        [float(each.metrics[seed]["scores"][score]) for seed in shared] for each in (a, b)
    )
    values = [one - other for one, other in zip(left, right, strict=True)]
    mean = sum(values) / len(values)
    by_seed = dict(zip(shared, values, strict=True))
    if max(values) - min(values) < SAME:  # nothing spreads: there is nothing to test
        p_above, p_below = float(mean <= -margin), float(mean >= margin)
        return Paired(score, by_seed, mean, (mean, mean), p_above, p_below, margin)
    from scipy import stats

    above = stats.ttest_rel([x + margin for x in left], right, alternative="greater")
    below = stats.ttest_rel([x - margin for x in left], right, alternative="less")
    low, high = stats.ttest_rel(left, right).confidence_interval(1 - 2 * ALPHA)
    interval = float(low), float(high)
    return Paired(score, by_seed, mean, interval, float(above.pvalue), float(below.pvalue), margin)
