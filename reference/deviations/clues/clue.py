"""What a divergence tells: the two records there, and what can be read off the other run's.

Used by `python -m reference explain`. Ledgers of strangers are read here: what is missing, or not
a number, is None, and rules nothing out.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference.ledger.record import Record
from reference.lesson.recipe import Recipe

# What a ledger says is believed up to here: a replay takes memory and time by it.
MOST_TOKENS = 1 << 16  # in a forward pass, padding counted in: 512 rows of 128, say
MOST_STEPS = 10**7  # of a run: some years' worth
MOST_PROCESSES = 64


@dataclass(frozen=True)
class Clue:
    """A divergence: where it is, both records there (steps, or evaluations for `metrics`).

    `theirs` is empty where their run ended; `their_steps` are all of theirs, from the first. Where
    the rate for the next step differs, the records are those of the next step.
    """

    link: str
    step: int
    ours: Record
    theirs: Record
    their_steps: Sequence[Record]
    recipe: Recipe


def number(value: Any) -> float | None:
    """A finite number, or None; a ledger holds 'nan' and 'inf' as words."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and abs(value) <= sys.float_info.max else None


def close(a: float | None, b: float | None, tolerance: float = 1e-6) -> bool:
    """Equal but for rounding; unknown numbers are not unequal."""
    return a is None or b is None or math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-15)


def part(record: Record, *names: str) -> Any:
    """What stands in a record under these names, one within the other; None if nothing does."""
    found: Any = record
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


# batches


# gradients


# the optimizer


# the schedule


# seeds
