"""Clues in the optimizer's settings."""

from typing import Any

from reference.deviations.clues.clue import part
from reference.ledger.record import Record


def hyper(record: Record, name: str) -> list[Any]:
    """The values of one hyper-parameter among the optimizer's groups, in their order."""
    groups = part(record, "optimizer", "hyper") or []
    found = [g[name] for g in groups if isinstance(g, dict) and name in g]
    return [tuple(v) if isinstance(v, list) else v for v in found]


def held(record: Record) -> list[str]:
    """For each parameter: its group's number, '-' if it has no gradient, 'x' if no group has it."""
    return str(part(record, "optimizer", "of") or "").split()
