"""Models, and parameters of models, that one run has and the other lacks.

They do no harm until they take part in a step.
"""

from itertools import zip_longest
from typing import Any

from reference.diff.evidence import ParametersDiffer
from reference.diff.parameter_matching import Matching
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record


def trained_by_one(matching: Matching, records: tuple[Record, Record]) -> str | None:
    """The name of a parameter with a gradient that the other run's same model lacks."""
    for side, record in enumerate(records):
        groups = _groups(record)
        for place in matching.untaken[side]:
            if place < len(groups) and groups[place] != ABSENT:
                return matching.name(side, place)
    return None


def untied(matching: Matching, records: tuple[Record, ...]) -> tuple[int, str, str] | None:
    """A parameter of one run alone that has, at first, the values of another: tied in the other.

    Returns:
        The run that has it, its name, and that of the other one.
    """
    for side, record in enumerate(records):
        tensors = str((record.get("weights") or {}).get("tensors", "")).split()
        alone = _of_one_run(matching, side)
        for place in alone:
            value = tensors[place] if place < len(tensors) else ABSENT
            # Of another model than the other run's, alike parameters say nothing: all norms are 1.
            like = [n for n, other in enumerate(tensors) if other == value and n not in alone]
            if value != ABSENT and like:
                return side, matching.name(side, place), matching.name(side, like[0])
    return None


def _of_one_run(matching: Matching, side: int) -> list[int]:
    """The places of parameters whose names the other run doesn't have."""
    theirs = {name for model, _ in matching.strangers(1 - side) for name in model.names}
    ours = [
        place
        for model, places in matching.strangers(side)
        for name, place in zip(model.names, places, strict=True)
        if name not in theirs
    ]
    return [*matching.untaken[side], *ours]


def takes_part(matching: Matching, records: tuple[Record, Record]) -> bool:
    """Whether a model that fits nowhere has a pass or a gradient in this step."""
    for side, record in enumerate(records):
        groups = _groups(record)
        passes = [each for link in links_holding(Holds.PASSES) for each in record.get(link) or []]
        for model, places in matching.strangers(side):
            if any(each.get("model", 0) == model.number for each in passes):
                return True
            if any(groups[place] != ABSENT for place in places if place < len(groups)):
                return True
    return False


def _groups(record: Record) -> list[str]:
    """For each parameter: the number of its set of hyper-parameters, or a mark."""
    return str((record.get("optimizer") or {}).get("of", "")).split()


def first_other(matching: Matching) -> ParametersDiffer:
    """The first parameter in which two models that don't fit differ."""
    pairs = zip_longest(*(_parameters(matching, side) for side in (0, 1)))
    return next((ParametersDiffer(x, y) for x, y in pairs if x != y), ParametersDiffer(None, None))


def _parameters(matching: Matching, side: int) -> list[list[Any]]:
    """Name and shape of the parameters of a side's first model that fits nowhere."""
    first = next(matching.strangers(side), None)
    if first is None:
        return []
    model = first[0]
    return [[name, list(shape)] for name, shape in zip(model.names, model.shapes, strict=True)]
