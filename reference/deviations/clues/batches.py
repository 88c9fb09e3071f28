"""Clues in the batches."""

from collections.abc import Sequence
from typing import Any

from reference.deviations.clues.clue import Clue
from reference.ledger.record import Record


def batches(record: Record) -> list[dict[str, Any]]:
    """The inputs of each of a step's forward passes."""
    passes = record.get("batch")
    return [b for b in passes if isinstance(b, dict)] if isinstance(passes, list) else []


def shapes(record: Record) -> list[tuple[int, int]]:
    """(rows, padded length) of each forward pass's token ids."""
    sizes = [b["input_ids"][1] for b in batches(record) if len(b.get("input_ids") or ()) > 1]
    return [(int(s[0]), int(s[1])) for s in sizes if isinstance(s, list) and len(s) == 2]


def batch_size(record: Record) -> int | None:
    """Rows of a step's last forward pass."""
    sizes = shapes(record)
    return sizes[-1][0] if sizes else None


def padded_length(record: Record) -> int | None:
    """The longest padded length, in tokens, of a step's forward passes."""
    return max((length for _, length in shapes(record)), default=None)


def padded_lengths(steps: Sequence[Record]) -> set[int]:
    """All padded lengths of a run, in tokens."""
    return {length for record in steps for _, length in shapes(record)}


def has_input(record: Record, name: str) -> bool:
    """Some forward pass was given this input, whatever is in it."""
    return any(name in b for b in batches(record))


def input_varies(record: Record, name: str) -> bool:
    """Some forward pass was given this input, and it isn't one number all over.

    A mask that is all ones says as little as no mask.
    """
    inputs = [b[name] for b in batches(record) if name in b]
    return any(len(described) < 4 or described[3] is None for described in inputs)


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
    """The other run had this batch at an earlier step too."""
    earlier = [_inputs(record, "input_ids") for record in clue.their_steps[: clue.step - 1]]
    return _inputs(clue.theirs, "input_ids") in earlier
