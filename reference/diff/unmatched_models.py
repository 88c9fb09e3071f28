"""Models, and parameters of models, that one run has and the other lacks.

Used by `python -m reference diff A B`: they do no harm until they take part in a step.
"""

from itertools import zip_longest

from reference.diff.parameter_matching import Matching
from reference.diff.value_text import short
from reference.ledger.record import Record


def trained_by_one(matching: Matching, records: tuple[Record, Record]) -> str:
    """A parameter with a gradient that the other run's same model lacks; empty for none."""
    for side, record in enumerate(records):
        of = str((record.get("optimizer") or {}).get("of", "")).split()
        for place in matching.untaken[side]:
            if place < len(of) and of[place] != "-":
                return matching.name(side, place)
    return ""


def takes_part(matching: Matching, records: tuple[Record, Record]) -> bool:
    """Whether a model that fits nowhere has a pass or a gradient in this step."""
    for side, record in enumerate(records):
        of = str((record.get("optimizer") or {}).get("of", "")).split()
        passes = [*(record.get("batch") or []), *(record.get("forward") or [])]
        for model, places in matching.strangers(side):
            if any(one.get("model", 0) == model.number for one in passes):
                return True
            if any(of[place] != "-" for place in places if place < len(of)):
                return True
    return False


def first_other(matching: Matching) -> str:
    """The first parameter, name and shape, in which two models that don't fit differ."""
    found = [next(matching.strangers(side), None) for side in (0, 1)]
    lists = [
        [[name, list(shape)] for name, shape in zip(m[0].names, m[0].shapes, strict=True)]
        if m is not None
        else []
        for m in found
    ]
    pairs = zip_longest(*lists, fillvalue="none")
    one, other = next(((p, q) for p, q in pairs if p != q), ("none", "none"))
    return f"{short(one)} and {short(other)}"
