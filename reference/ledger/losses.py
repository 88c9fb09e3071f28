"""The loss of a step, as its record holds it."""

from collections.abc import Iterator

from reference.ledger.record import Record


def step_loss(step: Record) -> float | None:
    """The mean over a step's forward passes; None where none of them had a loss."""
    losses = list(_losses(step))
    return sum(losses) / len(losses) if losses else None


def _losses(step: Record) -> Iterator[float]:
    for each in step.get("forward") or []:
        loss = each.get("loss")
        if isinstance(loss, int | float | str):  # what isn't finite stands there as text
            yield float(loss)
