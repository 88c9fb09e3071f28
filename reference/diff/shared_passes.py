"""Steps of other numbers of forward passes: which pass of the one run is which of the other's.

A pass that both make is one of the same model, in the same mode, with the same inputs. What only
one run makes has nothing to be compared with: that is said beside the verdict.
"""

from collections.abc import Iterator
from typing import Any

from reference.diff.unequal import Pair
from reference.ledger.record import Record

Places = tuple[int, int]  # of one pass in both steps, from 0


def shared_passes(pair: Pair) -> list[Places]:
    """The passes that both steps have; all of them in their order, where they have as many."""
    left, right = (record.get("forward") or [] for record in (pair.left, pair.right))
    if len(left) == len(right):
        return [(number, number) for number in range(len(left))]
    return list(_shared(pair))


def passes_of_one(pair: Pair) -> tuple[int, int]:
    """How many passes either step has that the other lacks."""
    shared = len(shared_passes(pair))
    first, second = (len(record.get("forward") or []) for record in (pair.left, pair.right))
    return first - shared, second - shared


def _shared(pair: Pair) -> Iterator[Places]:
    ours, theirs = _Passes(pair.left), _Passes(pair.right)
    free = list(range(len(theirs.keys)))
    for number, key in enumerate(ours.keys):
        if key[0] not in pair.whole:  # of a part the whole model gives something else
            continue
        fits = [n for n in free if theirs.keys[n] == key]
        # The same rows may be passed more than once, with other random numbers.
        equal = [n for n in fits if theirs.all[n] == ours.all[number]]
        if fits:
            place = (equal or fits)[0]
            free.remove(place)
            yield number, place


class _Passes:
    """The passes of one step.

    Attributes:
        keys: Of each its model, its mode, and its inputs without plain arguments.
        all: Of each its inputs with plain arguments, and its outputs.
    """

    def __init__(self, record: Record) -> None:
        inputs, outputs = record.get("batch") or [], record["forward"]
        self.keys: list[tuple[int, Any, Any]] = []
        self.all: list[tuple[Record, Record]] = []
        for each, gives, mode in zip(inputs, outputs, _modes(record), strict=False):
            tensors = {name: value[:3] for name, value in each.items() if type(value) is list}
            self.keys.append((each.get("model", 0), mode, tensors))
            self.all.append((each, gives))


def _modes(record: Record) -> list[tuple[Any, Any]]:
    """Train or eval, and autocast, of each pass."""
    mode, count = record.get("mode") or {}, len(record["forward"])
    each = [mode, *mode.get("later", [mode] * (count - 1))]
    return [(one.get("training"), one.get("autocast")) for one in each]
