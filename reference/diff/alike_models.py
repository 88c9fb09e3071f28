"""Models of one class, names and shapes: which of one run is which of the other's.

A ledger numbers models by their first calls. Where two are called in another order, the weights
that the first step leaves tell them apart.
"""

from collections.abc import Sequence

from reference.diff.parameter_matching import Model
from reference.ledger.record import Record


def exchanged(models: Sequence[Model], left: Record, right: Record) -> dict[int, int]:
    """The second run's models that the first one has under other numbers; none if all agree.

    Args:
        models: Of both runs.
        left: The first run's first step.
        right: The second run's.
    """
    alike: dict[object, list[Model]] = {}
    for model in models:
        alike.setdefault((model.kind, model.names, model.shapes), []).append(model)
    numbers: dict[int, int] = {}
    for group in alike.values():
        if len(group) > 1:
            numbers.update(_of_group(group, left, right))
    return numbers


def _of_group(group: Sequence[Model], left: Record, right: Record) -> dict[int, int]:
    """By what the step makes of them; one alone may be unequal."""
    ours, theirs = (_values(group, record) for record in (left, right))
    left_over = list(range(len(group)))
    places: list[int | None] = []
    for value in theirs:
        fits = [n for n in left_over if ours[n] == value]
        places.append(fits[0] if fits else None)
        left_over = [n for n in left_over if not fits or n != fits[0]]
    if len(left_over) > 1:
        return {}
    there = [left_over[0] if place is None else place for place in places]
    if there == list(range(len(group))):
        return {}
    return {group[n].number: group[place].number for n, place in enumerate(there)}


def _values(models: Sequence[Model], record: Record) -> list[tuple[str, ...]]:
    """What the step makes of each of the models: of one called later it isn't known before."""
    tensors = str((record.get("update") or {}).get("tensors", "")).split()
    return [tuple(tensors[m.first : m.first + len(m.names)]) for m in models]
