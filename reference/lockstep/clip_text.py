"""Gradient clips as a script calls them."""

from collections.abc import Sequence

from reference.ledger.record import Record


def clip_text(clips: Sequence[Record]) -> str | None:
    """As the script calls it; None where it doesn't."""
    texts = [
        f"{c['name']}(..., {c['bound']:g}){' after the step' if c['late'] else ''}" for c in clips
    ]
    return ", ".join(texts) or None
