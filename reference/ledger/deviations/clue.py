"""What a divergence tells: the two records there, and what can be read off the other run's.

Used by `python -m reference explain`. Ledgers of strangers are read here: what is missing, or not
a number, is None, and rules nothing out.
"""

import itertools
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reference.ledger.record import Record
from reference.lesson.recipe import Recipe
from reference.observe.generators import hash_python

# The seeds that people set: small ones, the books' and the years'.
USUAL_SEEDS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    7,
    42,
    43,
    13,
    123,
    1234,
    *range(2019, 2028),
    4,
    5,
    10,
    100,
    1337,
    3407,
)
# What a ledger says is believed up to here: a replay takes memory and time by it.
MOST_TOKENS = 1 << 16  # in a forward pass, padding counted in: 512 rows of 128, say
MOST_STEPS = 10**7  # of a run: some years' worth
MOST_PROCESSES = 64
MOST_SEEDS = 10_000  # the seeds that are looked through in full, in about a second


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


def batches(record: Record) -> list[dict[str, Any]]:
    """The inputs of each of a step's forward passes."""
    found = record.get("batch")
    return [b for b in found if isinstance(b, dict)] if isinstance(found, list) else []


def shapes(record: Record) -> list[tuple[int, int]]:
    """(rows, length) of each forward pass's token ids."""
    found = [b["input_ids"][1] for b in batches(record) if len(b.get("input_ids") or ()) > 1]
    return [(int(s[0]), int(s[1])) for s in found if isinstance(s, list) and len(s) == 2]


def size(record: Record) -> int | None:
    """Rows of a step's last forward pass."""
    found = shapes(record)
    return found[-1][0] if found else None


def length(record: Record) -> int | None:
    """The longest padded length of a step's forward passes."""
    return max((s[1] for s in shapes(record)), default=None)


def lengths(steps: Sequence[Record]) -> set[int]:
    """All padded lengths of a run."""
    return {s[1] for record in steps for s in shapes(record)}


def given(record: Record, name: str) -> bool:
    """An input that some forward pass got, whatever is in it."""
    return any(name in b for b in batches(record))


def passed(record: Record, name: str) -> bool:
    """An input that isn't the same number all over (a mask of ones says what no mask says)."""
    found = [b[name] for b in batches(record) if name in b]
    return any(len(f) < 4 or f[3] is None for f in found)


def _inputs(record: Record, name: str) -> list[Any]:
    return [b.get(name) for b in batches(record)]


def same_rows(clue: Clue) -> bool:
    """Both steps have just the same tokens, so that the order can't be what differs."""
    ours = _inputs(clue.ours, "input_ids")
    return bool(ours) and ours == _inputs(clue.theirs, "input_ids")


def same_labels(clue: Clue) -> bool:
    """The labels are equal, or not there: it may be the same rows in another form."""
    ours, theirs = _inputs(clue.ours, "labels"), _inputs(clue.theirs, "labels")
    return ours == theirs or None in (*ours, *theirs)


def seen_before(clue: Clue) -> bool:
    """Their batch is one that they had at an earlier step."""
    rows = [[b.get("input_ids") for b in batches(r)] for r in clue.their_steps[: clue.step - 1]]
    return [b.get("input_ids") for b in batches(clue.theirs)] in rows


# gradients


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


# the optimizer


def hyper(record: Record, name: str) -> list[Any]:
    """The values of one hyper-parameter among the optimizer's groups, in their order."""
    groups = part(record, "optimizer", "hyper") or []
    found = [g[name] for g in groups if isinstance(g, dict) and name in g]
    return [tuple(v) if isinstance(v, list) else v for v in found]


def held(record: Record) -> list[str]:
    """For each parameter: its group's number, '-' if it has no gradient, 'x' if no group has it."""
    return str(part(record, "optimizer", "of") or "").split()


# the schedule


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


# seeds


@lru_cache(maxsize=8)
def seed_of(state: str) -> int | None:
    """The seed after which Python's own generator has this hash: a loop hardly ever draws from it.

    `set_seed` sets it with the others, so it tells a run's seed.
    """
    for seed in (*USUAL_SEEDS, *range(MOST_SEEDS)):
        if hash_python(random.Random(seed).getstate()) == state:
            return int(seed)
    return None


def seeds(clue: Clue) -> list[int]:
    """The seed that Python's generator tells, or else the usual ones."""
    states = part(clue.their_steps[0] if clue.their_steps else {}, "rng", "python")
    state = states[0] if isinstance(states, list) and states else states
    found = seed_of(state) if isinstance(state, str) else None
    return [s for s in ((found,) if found is not None else USUAL_SEEDS) if s != clue.recipe.seed]


def usual_seeds(clue: Clue) -> list[int]:
    """The usual seeds but the recipe's, the one that Python's generator tells first."""
    return list(dict.fromkeys([*seeds(clue), *(s for s in USUAL_SEEDS if s != clue.recipe.seed)]))
