"""Clues to another seed."""

import random
from functools import lru_cache

from reference.deviations.clues.clue import Clue, part

# The seeds that people set: small ones, and those of books, papers and years.
# fmt: off
USUAL_SEEDS: tuple[int, ...] = (
    0, 1, 2, 3, 7, 42, 43, 13, 123, 1234, *range(2019, 2028), 4, 5, 10, 100, 1337, 3407,
)
# fmt: on
MOST_SEEDS = 10_000  # seeds that are looked through in full, which takes about a second


@lru_cache(maxsize=8)
def seed_of(state: str) -> int | None:
    """The seed after which the state of Python's own generator has this hash.

    transformers' `set_seed` sets that generator with the others, and a loop hardly ever draws from
    it: so it tells a run's seed. None where no usual or small seed gives the hash.
    """
    from reference.observe.generators import hash_python  # loads torch

    for seed in (*USUAL_SEEDS, *range(MOST_SEEDS)):
        if hash_python(random.Random(seed).getstate()) == state:
            return int(seed)
    return None


def seeds(clue: Clue) -> list[int]:
    """The seed that Python's generator tells, or else the usual ones; never the recipe's."""
    states = part(clue.their_steps[0] if clue.their_steps else {}, "rng", "python")
    state = states[0] if isinstance(states, list) and states else states
    told = seed_of(state) if isinstance(state, str) else None
    return [s for s in ((told,) if told is not None else USUAL_SEEDS) if s != clue.recipe.seed]


def usual_seeds(clue: Clue) -> list[int]:
    """All the usual seeds but the recipe's, the one that Python's generator tells first."""
    return list(dict.fromkeys([*seeds(clue), *(s for s in USUAL_SEEDS if s != clue.recipe.seed)]))
