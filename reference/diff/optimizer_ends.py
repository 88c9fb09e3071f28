"""What optimizers keep at the ends of two runs that are equal in every step.

By parameter, however they are grouped: one optimizer of all parameters, or two of the halves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reference.diff.evidence import OptimizerAtEnd
from reference.diff.notes import HyperAtEnd, Note, UnreadOptimizer
from reference.diff.parameter_matching import Matching
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record

Both = tuple[str | None, str | None]  # the values of both runs; None where one keeps none


@dataclass(frozen=True)
class _Kept:
    """What one optimizer keeps for one parameter."""

    kind: str
    values: Mapping[str, str]
    hyper: Mapping[str, Any]


def optimizer_ends(left: Record, right: Record, matching: Matching) -> OptimizerAtEnd | None:
    """The first value that is unequal, and for how many parameters it is; None where none is.

    An optimizer of another class may keep other things: then only what both keep is compared.

    Args:
        left: The first run's end.
        right: The second run's.
        matching: Which parameter of the one run is which of the other's.
    """
    firsts: dict[str, tuple[str, Both]] = {}
    counts: dict[str, int] = {}
    total = 0
    for name, pairs in _pairs(left, right, matching):
        total += 1
        unequal = {value: both for x, y in pairs for value, both in _unequal(x, y)}
        for value, both in unequal.items():
            firsts.setdefault(value, (name, both))
            counts[value] = counts.get(value, 0) + 1
    for value, (name, both) in firsts.items():
        return OptimizerAtEnd(value, counts[value], total, name, both)
    return next(_beside(left, right), None)


def _beside(left: Record, right: Record) -> Iterator[OptimizerAtEnd]:
    """What optimizers of the same classes keep for no parameter, where that is unequal."""
    sides = [end.get("optimizers", []) for end in (left, right)]
    if len({tuple(str(each["class"]) for each in side) for side in sides}) > 1:
        return
    for ours, theirs in zip(*sides, strict=True):
        for value, both in _unequal_in(ours.get("beside", {}), theirs.get("beside", {})):
            yield OptimizerAtEnd(value, 1, 1, None, both)


def notes_of_optimizers(left: Record, right: Record, matching: Matching) -> Iterator[Note]:
    """What is left in them and takes no part in what they keep: hyper-parameters; and the unread.

    A learning rate is told by the last step's schedule.
    """
    for side, end in enumerate((left, right)):
        unread = [o for o in end.get("optimizers", ()) if "unseen" in o]
        if unread:
            yield UnreadOptimizer(side, str(unread[0]["class"]), str(unread[0]["unseen"]))
    seen: set[str] = set()
    for _, pairs in _pairs(left, right, matching):
        for x, y in pairs:
            for field in sorted(x.hyper.keys() & y.hyper.keys()):
                if x.hyper[field] != y.hyper[field] and field not in seen:
                    seen.add(field)
                    yield HyperAtEnd(field, x.hyper[field], y.hyper[field])


def _unequal(x: _Kept, y: _Kept) -> Iterator[tuple[str, Both]]:
    for name, both in _unequal_in(x.values, y.values):
        if x.kind == y.kind or None not in both:
            yield name, both


def _unequal_in(left: Mapping[str, str], right: Mapping[str, str]) -> Iterator[tuple[str, Both]]:
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield name, (left.get(name), right.get(name))


def _pairs(
    left: Record, right: Record, matching: Matching
) -> Iterator[tuple[str, list[tuple[_Kept, _Kept]]]]:
    """Of each parameter that both runs have its name, and what is kept for it, side by side.

    Where one run has made more optimizers of it, one after another, the last ones are compared.
    """
    if not all("optimizers" in end for end in (left, right)):
        return  # an older ledger
    ours, theirs = _by_place(left), _by_place(right)
    for (place, other), name in zip(matching.pairs, matching.names, strict=True):
        mine, others = ours.get(place, []), theirs.get(other, [])
        if mine and others:
            count = len(mine) if len(mine) == len(others) else 1
            yield name, list(zip(mine[-count:], others[-count:], strict=True))


def _by_place(end: Record) -> dict[int, list[_Kept]]:
    found: dict[int, list[_Kept]] = {}
    for optimizer in end["optimizers"]:
        state = {name: str(each).split() for name, each in optimizer.get("state", {}).items()}
        hyper, of = optimizer.get("hyper", []), str(optimizer.get("of", "")).split()
        for number, place in enumerate(str(optimizer.get("places", "")).split()):
            values = {
                name: each[number]
                for name, each in state.items()
                if number < len(each) and each[number] != ABSENT
            }
            group = int(of[number]) if number < len(of) else len(hyper)
            own = hyper[group] if group < len(hyper) else {}
            kept = _Kept(str(optimizer["class"]), values, own)
            found.setdefault(int(place), []).append(kept)
    return found
