"""Clues in the learning rates."""

import itertools
from collections.abc import Sequence
from typing import Any

from reference.deviations.clues.clue import MOST_STEPS, number, part
from reference.ledger.record import Record


def rates(steps: Sequence[Record], name: str = "learning_rate") -> list[float]:
    """The learning rate of each step (of the first group), as far as it is known."""
    found = []
    for record in steps:
        values = part(record, "schedule", name)
        rate = _first(values)
        if rate is None:
            break
        found.append(rate)
    return found


def all_rates(steps: Sequence[Record]) -> list[float]:
    """The rates of the steps, and the one after the last."""
    found = rates(steps)
    return found + rates(steps[-1:], "next_learning_rate") if found else []


def base_rate(record: Record) -> float | None:
    """The rate that the optimizer was made with."""
    return _first(part(record, "optimizer", "base_learning_rate"))


def _first(values: Any) -> float | None:
    """The first number of a list; a parameter without a gradient has '-' there."""
    numbers = [number(v) for v in values] if isinstance(values, list) else []
    return next((n for n in numbers if n is not None), None)


def linear(steps: Sequence[Record], base: float | None) -> tuple[int | None, int | None]:
    """(warm-up steps, total steps) of a linear schedule with these rates; None: not to be told.

    A rate rises by base / warm-up and falls by base / (total - warm-up).
    """
    found = all_rates(steps)
    warmup = total = None
    if not base:
        return None, None
    first = int(number(steps[0].get("step")) or 1) - 1 if steps else 0
    for k, (one, two) in enumerate(itertools.pairwise(found), first):
        if two > one and warmup is None:
            warmup = _steps(base / (two - one))
        if two < one:
            total = _steps(k + one / (one - two))
            falling = _steps(base / (one - two))
            if warmup is None and total is not None and falling is not None:
                warmup = total - falling
            break
    return warmup, total


def _steps(value: float) -> int | None:
    """A number of steps that a run can have."""
    return round(value) if abs(value) <= MOST_STEPS else None
