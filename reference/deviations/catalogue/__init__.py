"""The catalogue of known deviations, a file a theme, and all of them by name.

`CATALOGUE` has those of one process, edits of the manual loop; `OF_SEVERAL` those that only several
processes can have, edits of the Accelerate loop.

A new entry goes into the file of its theme, at the end of its kind (`row`), and nowhere else. The
files: `optimizer`, `parameters`, `schedule`, `gradient`, `accumulation`, `batches`, `inputs`,
`model`, `seeds`, `loss`, `evaluation`, `resume`, `processes`.
"""

from collections.abc import Iterable

from reference.deviations.catalogue import (
    accumulation,
    batches,
    evaluation,
    gradient,
    inputs,
    loss,
    model,
    optimizer,
    parameters,
    processes,
    resume,
    schedule,
    seeds,
)
from reference.deviations.deviation import MANUAL, Deviation

# Within a row of the catalogue, entries stand in this order of files.
_THEMES = (
    optimizer,
    parameters,
    schedule,
    gradient,
    accumulation,
    batches,
    inputs,
    model,
    seeds,
    loss,
    evaluation,
    resume,
    processes,
)


def by_name(entries: Iterable[Deviation]) -> dict[str, Deviation]:
    """Entries by name, sorted by row; entries of one row stay as they come.

    Raises:
        ValueError: for a name that stands twice, a row that is left out, or a deviation that is
            said to be the same run as one that isn't there.
    """
    entries = sorted(entries, key=lambda entry: entry.row)
    catalogue = {entry.name: entry for entry in entries}
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"deviation {name!r}: stands twice in the catalogue")
    rows = {entry.row for entry in entries}
    missing = {*range(1, max(rows, default=0) + 1)} - rows
    if missing:
        raise ValueError(f"the catalogue has no row {min(missing)}; rows are counted from 1")
    for entry in entries:
        if entry.same_run_as and entry.same_run_as not in catalogue:
            raise ValueError(f"deviation {entry.name!r}: same_run_as: no {entry.same_run_as!r}")
    return catalogue


EVERY = by_name(entry for theme in _THEMES for entry in theme.DEVIATIONS)
CATALOGUE = {name: entry for name, entry in EVERY.items() if entry.loop == MANUAL}
OF_SEVERAL = {name: entry for name, entry in EVERY.items() if entry.loop != MANUAL}
