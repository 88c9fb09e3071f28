"""What models hold at the ends of two runs that are equal in every step: each tensor of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from reference.diff.evidence import OtherAtEnd
from reference.diff.notes import ModelsOfOneEnd, OtherParts
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record


def model_ends(left: Record, right: Record, *, in_order: bool = True) -> list[OtherAtEnd]:
    """What is unequal, for each model that both runs have; what only one has is no difference.

    Args:
        left: The first run's end.
        right: The second run's.
        in_order: Both runs trained their models in the same order.
    """
    models = [end["models"] for end in (left, right) if "models" in end]
    if len(models) < 2:
        return []  # an older ledger
    trained = [_values(m for m in each if m["trained"]) for each in models]
    known = [_in_the_last_step(end) for end in (left, right)]
    # What a run had in its last step, and has nowhere any more.
    lost = [
        set(hashes - Counter(map(_hash, _values(each).elements())))
        for hashes, each in zip(known, models, strict=True)
    ]
    return [
        unequal
        for pair in _pairs(*models, in_order=in_order)
        # Trained in one part or in two, by whatever names: all that counts is what there is.
        if trained[0] != trained[1] or not pair[0]["trained"] or _has_same_names(*pair)
        for unequal in _unequal(*pair, known, lost)
    ]


def models_of_one(left: Record, right: Record) -> list[ModelsOfOneEnd]:
    """The classes of which one run has more models at its end that don't train."""
    ends = [[m for m in end.get("models", ()) if not m["trained"]] for end in (left, right)]
    if not all("models" in end for end in (left, right)):
        return []
    sides = _called_or_not(*map(_by_class, ends))
    counts = [Counter({key: len(models) for key, models in side.items()}) for side in sides]
    notes: dict[tuple[str, bool], ModelsOfOneEnd] = {}
    for key in dict.fromkeys((*counts[0], *counts[1])):
        if counts[0][key] != counts[1][key]:
            kind, is_copy, _step = key
            note = ModelsOfOneEnd(kind, is_copy, counts[0][key], counts[1][key])
            notes.setdefault((kind, is_copy), note)
    return list(notes.values())


def parts_of_models(left: Record, right: Record) -> Iterator[OtherParts]:
    """Trained models that are made of other modules, though all that they hold is equal.

    A wrapper puts a prefix before the names, and other names are no other modules.
    """
    sides = [[m for m in end.get("models", ()) if m["trained"]] for end in (left, right)]
    if len(sides[0]) != len(sides[1]):
        return
    for ours, theirs in zip(*sides, strict=True):
        parts = [m.get("parts", {}) for m in (ours, theirs)]
        if not all(parts) or set(ours["tensors"]) != set(theirs["tensors"]):
            continue
        unequal = [n for n in {**parts[0], **parts[1]} if parts[0].get(n) != parts[1].get(n)]
        if unequal:
            first = unequal[0]
            kinds = [None if first not in p else _kind(p[first]) for p in parts]
            yield OtherParts(str(ours["model"]), len(unequal), first, *kinds)


def _kind(part: Any) -> str:
    """A class; one entry stands for the parts of a list that are alike, with their number."""
    return str(part[0]) if isinstance(part, list) and part else str(part)


def _in_the_last_step(end: Record) -> Counter[str]:
    """The hashes of all that the models of the last step had then."""
    buffers = (end.get("buffers") or {}).get("tensors", {})
    hashes = Counter([*str(end.get("tensors", "")).split(), *buffers.values()])
    del hashes[ABSENT]
    return hashes


def _has_same_names(left: Record, right: Record) -> bool:
    theirs = _renamed(right["tensors"], left["tensors"])
    return set(left["tensors"]) == set(theirs)


def _values(models: Any) -> Counter[str]:
    """What all of them hold, whatever it is called and in which model it is."""
    held = (each for m in models for each in (m["tensors"], m.get("fleeting", {})))
    return Counter(value for each in held for value in each.values())


def _pairs(
    left: Sequence[Record], right: Sequence[Record], *, in_order: bool
) -> Iterator[tuple[Record, Record]]:
    """Models of one class in the order of their first calls, where both runs have as many."""
    sides = [[m for m in models if m["trained"]] for models in (left, right)]
    if in_order and len(sides[0]) == len(sides[1]):
        yield from zip(*sides, strict=True)
    else:
        yield from _of_one_class(*sides)
    yield from _of_one_class(*([m for m in models if not m["trained"]] for models in (left, right)))


def _of_one_class(
    left: Sequence[Record], right: Sequence[Record]
) -> Iterator[tuple[Record, Record]]:
    sides = _called_or_not(_by_class(left), _by_class(right))
    for kind, ours in sides[0].items():
        theirs = sides[1].get(kind, [])
        if len(ours) == len(theirs):
            # What nobody trained or called has no order that means something: equal ones first.
            values = [[m["tensors"] for m in models] for models in (ours, theirs)]
            yield from zip(
                (m for m in ours if m["tensors"] not in values[1]),
                (m for m in theirs if m["tensors"] not in values[0]),
                strict=False,
            )


Class = tuple[str, bool, int]  # its name; whether nobody called it; the step, or -1 for the end
Classes = dict[Class, list[Record]]


def _by_class(models: Sequence[Record]) -> Classes:
    classes: Classes = {}
    for model in models:
        kind = str(model["model"]).split()[0], bool(model.get("copy")), int(model.get("step", -1))
        classes.setdefault(kind, []).append(model)
    return classes


def _called_or_not(left: Classes, right: Classes) -> tuple[Classes, Classes]:
    """Both runs' classes, as if all were called of a class that one run calls more often."""
    sides = left, right
    for kind in {kind for side in sides for kind, is_copy, step in side if step < 0}:
        counts = [[len(side.get((kind, copy, -1), ())) for copy in (False, True)] for side in sides]
        if counts[0] != counts[1] and sum(counts[0]) == sum(counts[1]):
            for side in sides:
                both = [*side.pop((kind, False, -1), ()), *side.pop((kind, True, -1), ())]
                side[kind, False, -1] = both
    return sides


def _unequal(
    left: Record, right: Record, known: Sequence[Counter[str]], lost: Sequence[set[str]]
) -> Iterator[OtherAtEnd]:
    ours, theirs = left["tensors"], _renamed(right["tensors"], left["tensors"])
    name, trained = str(left["model"]), bool(left["trained"])
    if ours.keys() != theirs.keys():
        p, q = Counter(ours.values()), Counter(theirs.values())
        # What only one model has, and had in its last step: that was no other training, unless the
        # other had it then, too.
        more = [set(map(_hash, each)) for each in (p - q, q - p)]
        same = [
            hashes <= known[side].keys() and hashes.isdisjoint(lost[1 - side])
            for side, hashes in enumerate(more)
        ]
        if not all(same) or all(more):
            only = [n for n in (*ours, *theirs) if (n in ours) != (n in theirs)]
            forms = _form(ours.get(only[0])), _form(theirs.get(only[0]))
            yield OtherAtEnd(name, len(only), len({*ours, *theirs}), only[0], forms, trained)
        return
    fleeting = _same_form(left.get("fleeting", {}), right.get("fleeting", {}))
    pairs = [*((n, x, theirs[n]) for n, x in ours.items()), *fleeting]
    unequal = [(n, x, y) for n, x, y in pairs if x != y and ABSENT not in (_hash(x), _hash(y))]
    if unequal:
        first, x, y = unequal[0]
        yield OtherAtEnd(name, len(unequal), len(pairs), first, (_form(x), _form(y)), trained)


def _hash(value: str) -> str:
    return value.partition(" ")[0]


def _form(value: str | None) -> str:
    return "none" if value is None else value.partition(" ")[2]


def _same_form(left: Record, right: Record) -> list[tuple[str, str, str]]:
    """Buffers that no checkpoint holds may grow with what a model was given: these aren't told."""
    pairs = [(name, left[name], right[name]) for name in left if name in right]
    return [(n, x, y) for n, x, y in pairs if x.split()[1:] == y.split()[1:]]


def _renamed(tensors: Record, wanted: Record) -> Record:
    """The tensors without, or with, what a wrapper puts before all names, if that fits."""
    first, there = next(iter(tensors), ""), next(iter(wanted), "")
    if tensors.keys() == wanted.keys() or not (first and there):
        return tensors
    if first.endswith(f".{there}"):
        prefix = first.removesuffix(there)
        plain = {name.removeprefix(prefix): value for name, value in tensors.items()}
        return plain if len(plain) == len(tensors) else tensors
    if there.endswith(f".{first}"):
        prefix = there.removesuffix(first)
        return {prefix + name: value for name, value in tensors.items()}
    return tensors
