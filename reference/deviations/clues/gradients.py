"""Clues in the gradients."""

from reference.deviations.clues.clue import Clue, close, number, part
from reference.ledger.record import Record


def norm(record: Record, link: str) -> float | None:
    """The norm of the gradient as it came (`gradient`) or as the optimizer saw it (`clip`)."""
    return number(part(record, link, "norm"))


def unclipped(record: Record) -> bool:
    """The optimizer saw the gradient as it came."""
    raw, seen = part(record, "gradient", "hash"), part(record, "clip", "hash")
    return raw == seen or close(norm(record, "gradient"), norm(record, "clip"))


def times(clue: Clue) -> float | None:
    """How many times as long their gradient is as ours."""
    ours, theirs = norm(clue.ours, "gradient"), norm(clue.theirs, "gradient")
    return theirs / ours if ours and theirs else None
