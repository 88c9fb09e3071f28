"""Models of one class, names and shapes: which of one run is which of the other's.

A ledger numbers models by their first calls. Where two are called in another order, the weights
that the first step leaves tell them apart.
"""

from collections.abc import Sequence

from reference.diff.parameter_matching import Model
from reference.ledger.record import Record

Alike = tuple[list[Model], list[Model]]  # of both runs


def exchanged(
    models: tuple[Sequence[Model], Sequence[Model]], left: Record, right: Record
) -> dict[int, int]:
    """The second run's models that the first one has under other numbers; none if all agree.

    Args:
        models: Of the first run, and of the second, one of which may have more.
        left: The first run's first step.
        right: The second run's.
    """
    alike: dict[object, Alike] = {}
    for side, of_run in enumerate(models):
        for model in of_run:
            kind = model.kind, model.names, model.shapes
            alike.setdefault(kind, ([], []))[side].append(model)
    numbers: dict[int, int] = {}
    for group in alike.values():
        if max(map(len, group)) > 1:
            numbers.update(_of_group(group, left, right))
    return numbers


def _of_group(group: Alike, left: Record, right: Record) -> dict[int, int]:
    """By what the step makes of them; one alone may be unequal."""
    ours, theirs = (_values(*each) for each in zip(group, (left, right), strict=True))
    left_over = list(range(len(ours)))
    places: list[int | None] = []
    for value in theirs:
        fits = [n for n in left_over if ours[n] == value]
        places.append(fits[0] if fits else None)
        left_over = [n for n in left_over if not fits or n != fits[0]]
    unequal = places.count(None)
    if unequal > 1 or (unequal and len(left_over) != 1):
        return {}
    there = [left_over[0] if place is None else place for place in places]
    numbers = {
        theirs.number: group[0][place].number for theirs, place in zip(group[1], there, strict=True)
    }
    return {} if all(number == first for number, first in numbers.items()) else numbers


def _values(models: Sequence[Model], record: Record) -> list[tuple[str, ...]]:
    """What the step makes of each of the models: of one called later it isn't known before."""
    tensors = str((record.get("update") or {}).get("tensors", "")).split()
    return [tuple(tensors[m.first : m.first + len(m.names)]) for m in models]
