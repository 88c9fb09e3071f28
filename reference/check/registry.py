"""All findings, in the order in which a step goes, each once."""

from collections.abc import Iterable

from reference.check.catalogue import (
    accumulation,
    batches,
    clips,
    generators,
    gradients,
    labels,
    losses,
    modes,
    optimizers,
    ranks,
    rates,
    resumed,
    schedules,
    untrained,
)
from reference.check.finding import Finding

THEMES = (
    batches,
    labels,
    generators,
    modes,
    resumed,
    losses,
    accumulation,
    gradients,
    clips,
    optimizers,
    untrained,
    schedules,
    rates,
    ranks,
)


def each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as they are, once it is seen that no two have one name.

    Raises:
        LookupError: Two have one name, so that nobody could tell them apart.
    """
    all_of_them = tuple(findings)
    names = [finding.name for finding in all_of_them]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LookupError(f"finding {', '.join(twice)}: there are two of that name; rename one")
    return all_of_them


FINDINGS = each_once(finding for theme in THEMES for finding in theme.FINDINGS)
