"""All findings, in the order in which a step goes, each once."""

from collections.abc import Iterable

from reference.check.catalogue import (
    batches,
    clips,
    generators,
    gradients,
    losses,
    modes,
    optimizers,
    ranks,
    resumed,
    schedules,
)
from reference.check.finding import Finding

ROOMS = (
    batches,
    generators,
    modes,
    resumed,
    losses,
    gradients,
    clips,
    optimizers,
    schedules,
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


FINDINGS = each_once(finding for room in ROOMS for finding in room.FINDINGS)
