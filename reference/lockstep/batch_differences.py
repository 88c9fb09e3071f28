"""What of two batches is unequal beside their rows: number, width, type, mask, ignored labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reference.ledger.record import Record

if TYPE_CHECKING:
    from reference.lockstep.differences import Difference

SMALLEST = 4  # of a multiple
MADE = "made of the same batch"
CONTENT = "content"  # of rows, which come in another order
KINDS = ("input", "target", "loaded", "look")  # of a batch's notes, before a name
TARGETS = ("label", "target", "start_positions", "end_positions")
MANY = 4  # batches, from which on all widths have a divisor in common for a reason
Facts = list[tuple[Record, Record]]  # A's and B's of one input, step by step


def batch_differences(notes: Sequence[Record]) -> list[Difference]:
    """The rows as one difference, and each thing beside them."""
    from reference.lockstep.differences import Difference

    own = [n for n in notes if _is_of_a_batch(n)]
    loaded = Difference("batch", "values", [n for n in own if n["field"].startswith("loaded ")])
    others = [n for n in own if not n["field"].startswith("loaded ")]
    uneven = {n["step"] for n in notes if n["link"] == "batch" and n["field"] == "passes"}
    moved = {n["step"] for n in own if not n.get("made") and not _is_derived(n)}
    made = Difference("batch", MADE)
    rows = Difference("batch", "values")
    of_name: dict[str, list[Record]] = {}
    for note in others:
        is_made = note.get("made") or (_is_derived(note) and note["step"] not in moved)
        is_made = is_made and note["step"] not in uneven  # a batch may be cut into passes
        (made if is_made else rows).notes.append(note)
        of_name.setdefault(note["field"].partition(" ")[2], []).append(note)
    found = [each for each in (rows if rows.notes else loaded,) if each.notes]
    found += _made(made)
    unlike = next((n for n in notes if n["link"] == "batch" and n["field"] == CONTENT), None)
    if unlike is not None and rows.notes:
        steps = dict.fromkeys(note["step"] for note in rows.notes)
        found.append(Difference("batch", CONTENT, [{**unlike, "step": step} for step in steps]))
    if not others:
        return found
    for what, values in BESIDE.items():
        for name, own in of_name.items():
            if what == "rows" and uneven and _have_as_many_at_most(others):
                continue  # other passes come to the smaller batches at other steps
            pairs = values([(n["a"], n["b"]) for n in own], name)
            if pairs is None:
                continue
            kept = [
                {**note, "a": pair[0], "b": pair[1], "name": name, "field": what}
                for note, pair in zip(own, pairs, strict=True)
                if pair is not None
            ]
            found.append(Difference("batch", what, kept))
            break  # the other inputs have the same shape
    return found


def has_other_rows(note: Record) -> bool:
    """Whether it is of an input that has more rows, or fewer."""
    if not _is_of_a_batch(note) or note["a"] is None or note["b"] is None:
        return False
    return bool(note["a"]["shape"][:1] != note["b"]["shape"][:1])


def _have_as_many_at_most(notes: list[Record]) -> bool:
    counts = [max(n[side]["shape"][0] for n in notes if n[side]["shape"]) for side in ("a", "b")]
    return bool(counts[0] == counts[1])


def _is_of_a_batch(note: Record) -> bool:
    kind = note["field"].split()[0]
    plain = not note.get("soft") and not note.get("follows")
    return note["link"] == "batch" and kind in KINDS and plain


def _is_derived(note: Record) -> bool:
    """Whether it goes with rows: where these are equal, another seed can't have made it unequal."""
    kind, _, name = note["field"].partition(" ")
    return kind in ("target", "look") or any(word in name.lower() for word in TARGETS)


def _made(made: Difference) -> list[Difference]:
    """One for each input or target."""
    from reference.lockstep.differences import Difference

    of_name: dict[str, Difference] = {}
    for note in made.notes:
        difference = of_name.setdefault(note["field"], Difference("batch", MADE))
        difference.notes.append(note)
    return list(of_name.values())


Pairs = list[tuple[Any, Any] | None] | None


def _rows(facts: Facts, _name: str) -> Pairs:
    counts = [(a["shape"][:1], b["shape"][:1]) for a, b in facts]
    if all(a == b for a, b in counts):
        return None
    return [(a[0], b[0]) if a != b and a and b else None for a, b in counts]


def _width(facts: Facts, _name: str) -> Pairs:
    """One pads to a fixed width, and the other to each batch's longest row."""
    widths = [(_at(a["shape"], 1), _at(b["shape"], 1)) for a, b in facts]
    if len(facts) < 2 or any(None in pair for pair in widths):
        return None
    distinct = [len({pair[side] for pair in widths}) for side in (0, 1)]
    if (distinct[0] == 1) == (distinct[1] == 1):
        fixed = distinct == [1, 1] and widths[0][0] != widths[0][1]
        return list(widths) if fixed else None
    return [pair if pair[0] != pair[1] else None for pair in widths]


def _multiple(facts: Facts, _name: str) -> Pairs:
    """One pads to a multiple of 8 and the like, the other doesn't."""
    widths = [(_at(a["shape"], 1), _at(b["shape"], 1)) for a, b in facts]
    if len(facts) < MANY or any(None in pair for pair in widths):
        return None
    common = [math.gcd(*(pair[side] or 0 for pair in widths)) for side in (0, 1)]
    distinct = [len({pair[side] for pair in widths}) for side in (0, 1)]
    is_one = max(common) >= SMALLEST and min(common) < SMALLEST
    if not is_one or min(distinct) == 1:
        return None
    return [(common[0], common[1]) for _ in widths]


def _left(facts: Facts, name: str) -> Pairs:
    """One pads at the rows' beginnings."""
    if "mask" not in name:
        return None
    begins = [(a.get("begins with 0", False), b.get("begins with 0", False)) for a, b in facts]
    some = [any(pair[side] for pair in begins) for side in (0, 1)]
    return [(some[0], some[1]) for _ in begins] if some[0] != some[1] else None


def _again(facts: Facts, _name: str) -> Pairs:
    """A batch that was there before, in one of the two."""
    pairs = [(a.get("again", False), b.get("again", False)) for a, b in facts]
    some = [any(pair[side] for pair in pairs) for side in (0, 1)]
    return [pair if pair[0] != pair[1] else None for pair in pairs] if some[0] != some[1] else None


def _ids(facts: Facts, _name: str) -> Pairs:
    """Labels that are the ids themselves, in one of the two."""
    pairs = [(a["ids"], b["ids"]) for a, b in facts if "ids" in a and "ids" in b]
    if len(pairs) < len(facts):
        return None
    every = [all(pair[side] for pair in pairs) for side in (0, 1)]
    return list(pairs) if every[0] != every[1] else None


def _ignored_inside(facts: Facts, _name: str) -> Pairs:
    """Labels that are ignored though they are no padding, in one of the two."""
    name = "ignored inside"
    pairs = [(a[name], b[name]) for a, b in facts if name in a and name in b]
    if len(pairs) < len(facts):
        return None
    some = [any(pair[side] for pair in pairs) for side in (0, 1)]
    return list(pairs) if some[0] != some[1] else None


def _type(facts: Facts, _name: str) -> Pairs:
    kinds = [(a["type"], b["type"]) for a, b in facts]
    return list(kinds) if all(a != b for a, b in kinds) else None


def _mask(facts: Facts, name: str) -> Pairs:
    """A mask that leaves nothing out, in one of the two, though rows end in the other's filler."""
    if "mask" not in name:
        return None
    ones = [(a.get("ones"), b.get("ones")) for a, b in facts]
    whole = [all(pair[side] for pair in ones) for side in (0, 1)]
    if whole[0] == whole[1] or len(facts) < 2:
        return None
    side = whole.index(True)
    fillers = {pair[1 - side].get("filler") for pair in facts} - {None}
    ends = {token for pair in facts for token in pair[side].get("ends", [])}
    return list(ones) if not fillers or not ends or fillers & ends else None


def _ignored(facts: Facts, name: str) -> Pairs:
    """Labels that the loss leaves out, in one of the two alone."""
    if not any(word in name for word in ("label", "target")):
        return None
    counts = [(a.get("ignored", 0), b.get("ignored", 0)) for a, b in facts]
    none = [all(pair[side] == 0 for pair in counts) for side in (0, 1)]
    return list(counts) if none[0] != none[1] else None


def _at(shape: Sequence[int], place: int) -> int | None:
    return shape[place] if place < len(shape) else None


BESIDE: dict[str, Callable[[Facts, str], Pairs]] = {
    "rows": _rows,
    "width": _width,
    "multiple": _multiple,
    "left": _left,
    "type": _type,
    "again": _again,
    "ids": _ids,
    "ignored inside": _ignored_inside,
    "mask": _mask,
    "ignored labels": _ignored,
}
