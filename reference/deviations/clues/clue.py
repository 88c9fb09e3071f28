"""A divergence as `explain` looks at it, and how values are read out of a ledger's records."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference.ledger.record import Record
from reference.lesson.recipe import Recipe

# What another run's ledger says is believed up to here: a replay takes memory and time by it.
MOST_TOKENS = 1 << 16  # in a forward pass, padding included: 512 rows of 128, say
MOST_STEPS = 10**7  # of a run: some years' worth
MOST_PROCESSES = 64


@dataclass(frozen=True)
class Clue:
    """A divergence, with both runs' records there.

    Attributes:
        link: the link that is unequal, or `metrics`.
        step: the step of the divergence, counted from 1.
        ours: the record of our run: of a step, or for `metrics` of an evaluation. Where the rate
            for the next step differs, it is the record of the next step.
        theirs: the same of the other run; empty where that run ended.
        their_steps: all steps of the other run, from the first.
        recipe: the recipe of our run.
        evaluated_after: after how many steps the other run evaluated, each once, from the first.
    """

    link: str
    step: int
    ours: Record
    theirs: Record
    their_steps: Sequence[Record]
    recipe: Recipe
    evaluated_after: Sequence[int] = ()


def number(value: Any) -> float | None:
    """A finite number, or None; a ledger holds 'nan' and 'inf' as words."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) <= sys.float_info.max else None


def close(a: float | None, b: float | None, tolerance: float = 1e-6) -> bool:
    """Equal but for rounding; unknown numbers are not unequal."""
    return a is None or b is None or math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-15)


def part(record: Record, *names: str) -> Any:
    """The value under these names, one within the other; None where there is none."""
    value: Any = record
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
