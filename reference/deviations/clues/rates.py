"""Clues in the learning rates."""

import itertools
from collections.abc import Sequence
from typing import Any

from reference.deviations.clues.clue import MOST_STEPS, number, part
from reference.ledger.record import Record


def rates(steps: Sequence[Record], name: str = "learning_rate") -> list[float]:
    """The learning rate of each step (of the first group), up to the first that isn't known."""
    known = []
    for record in steps:
        rate = _first_number(part(record, "schedule", name))
        if rate is None:
            break
        known.append(rate)
    return known


def all_rates(steps: Sequence[Record]) -> list[float]:
    """The rates of the steps, and the one after the last."""
    known = rates(steps)
    return known + rates(steps[-1:], "next_learning_rate") if known else []


def base_rate(record: Record) -> float | None:
    """The rate that the optimizer was made with."""
    return _first_number(part(record, "optimizer", "base_learning_rate"))


def _first_number(values: Any) -> float | None:
    """The first number of a list; a parameter without a gradient has a word there."""
    numbers = [number(v) for v in values] if isinstance(values, list) else []
    return next((n for n in numbers if n is not None), None)


def linear(steps: Sequence[Record], base: float | None) -> tuple[int | None, int | None]:
    """The linear schedule that has the rates of these steps.

    Such a rate rises by base / warm-up a step, and falls by base / (total - warm-up).

    Args:
        steps: steps of a run, one after the other; a single one has two rates.
        base: the rate that the optimizer was made with.

    Returns:
        (warm-up steps, total steps), each None where the rates don't tell it.
    """
    if not base:
        return None, None
    warmup = total = None
    first = int(number(steps[0].get("step")) or 1) - 1 if steps else 0
    for step, (rate, following) in enumerate(itertools.pairwise(all_rates(steps)), first):
        if following > rate and warmup is None:
            warmup = _steps(base / (following - rate))
        if following < rate:
            total = _steps(step + rate / (rate - following))
            falling = _steps(base / (rate - following))
            if warmup is None and total is not None and falling is not None:
                warmup = total - falling
            break
    return warmup, total


def _steps(value: float) -> int | None:
    """A number of steps that a run can have."""
    return round(value) if abs(value) <= MOST_STEPS else None
