"""Clues in the optimizer's settings."""

from typing import Any

from reference.deviations.clues.clue import part
from reference.ledger.record import Record


def hyperparameter(record: Record, name: str) -> list[Any]:
    """The values of one hyperparameter in the optimizer's groups, in their order."""
    groups = part(record, "optimizer", "hyper") or []
    values = [g[name] for g in groups if isinstance(g, dict) and name in g]
    return [tuple(v) if isinstance(v, list) else v for v in values]


def group_of_each(record: Record) -> list[str]:
    """For each parameter its group's number, or ABSENT, or NO_GROUP (`ledger/marks.py`)."""
    return str(part(record, "optimizer", "of") or "").split()


def gradient_of_each(record: Record) -> list[str]:
    """For each parameter its gradient's hash, or ABSENT."""
    return str(part(record, "gradient", "tensors") or "").split()
