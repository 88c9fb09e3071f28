"""Clues in the batches."""

from collections.abc import Sequence
from typing import Any

from reference.deviations.clues.clue import Clue
from reference.ledger.record import Record


def batches(record: Record) -> list[dict[str, Any]]:
    """The inputs of each of a step's forward passes."""
    found = record.get("batch")
    return [b for b in found if isinstance(b, dict)] if isinstance(found, list) else []


def shapes(record: Record) -> list[tuple[int, int]]:
    """(rows, length) of each forward pass's token ids."""
    found = [b["input_ids"][1] for b in batches(record) if len(b.get("input_ids") or ()) > 1]
    return [(int(s[0]), int(s[1])) for s in found if isinstance(s, list) and len(s) == 2]


def size(record: Record) -> int | None:
    """Rows of a step's last forward pass."""
    found = shapes(record)
    return found[-1][0] if found else None


def length(record: Record) -> int | None:
    """The longest padded length of a step's forward passes."""
    return max((s[1] for s in shapes(record)), default=None)


def lengths(steps: Sequence[Record]) -> set[int]:
    """All padded lengths of a run."""
    return {s[1] for record in steps for s in shapes(record)}


def given(record: Record, name: str) -> bool:
    """An input that some forward pass got, whatever is in it."""
    return any(name in b for b in batches(record))


def passed(record: Record, name: str) -> bool:
    """An input that isn't the same number all over (a mask of ones says what no mask says)."""
    found = [b[name] for b in batches(record) if name in b]
    return any(len(f) < 4 or f[3] is None for f in found)


def _inputs(record: Record, name: str) -> list[Any]:
    return [b.get(name) for b in batches(record)]


def same_rows(clue: Clue) -> bool:
    """Both steps have just the same tokens, so that the order can't be what differs."""
    ours = _inputs(clue.ours, "input_ids")
    return bool(ours) and ours == _inputs(clue.theirs, "input_ids")


def same_labels(clue: Clue) -> bool:
    """The labels are equal, or not there: it may be the same rows in another form."""
    ours, theirs = _inputs(clue.ours, "labels"), _inputs(clue.theirs, "labels")
    return ours == theirs or None in (*ours, *theirs)


def seen_before(clue: Clue) -> bool:
    """Their batch is one that they had at an earlier step."""
    rows = [[b.get("input_ids") for b in batches(r)] for r in clue.their_steps[: clue.step - 1]]
    return [b.get("input_ids") for b in batches(clue.theirs)] in rows
