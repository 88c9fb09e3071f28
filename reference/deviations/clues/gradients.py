"""Clues in the gradients."""

from reference.deviations.clues.clue import Clue, close, number, part
from reference.ledger.record import Record


def norm(record: Record, link: str) -> float | None:
    """The gradient's norm after the backward pass (`gradient`) or before the update (`clip`)."""
    return number(part(record, link, "norm"))


def unclipped(record: Record) -> bool:
    """The optimizer was given the gradient as the backward pass left it."""
    after_backward, before_update = part(record, "gradient", "hash"), part(record, "clip", "hash")
    return after_backward == before_update or close(norm(record, "gradient"), norm(record, "clip"))


def norm_ratio(clue: Clue) -> float | None:
    """How many times as long their gradient is as ours, before any clip; None if unknown."""
    ours, theirs = norm(clue.ours, "gradient"), norm(clue.theirs, "gradient")
    return number(theirs / ours) if ours and theirs else None
