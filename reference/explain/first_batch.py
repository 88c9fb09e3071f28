"""The first batch that the loop takes with some deviations: no model is made, and nothing trained.

By it `explain` sees whether a ledger can be of the recipe's data at all: a thousand orders and
forms of it take seconds.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from reference.deviations import Chosen, loop_with
from reference.diff.batch_differences import batch
from reference.diff.unequal import HARD, Pair
from reference.ledger.record import Record
from reference.lesson.data.pipeline import Data
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe
from reference.observe.generators import generators, set_generators
from reference.observe.step import describe


class Taken(Exception):
    """Raised in place of a forward pass, with its inputs."""

    def __init__(self, inputs: dict[str, torch.Tensor]) -> None:
        super().__init__("the first batch")
        self.inputs = inputs


class NoModel(torch.nn.Module):
    """Takes a batch, and ends the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, **inputs: torch.Tensor) -> None:
        """Raise Taken with the inputs."""
        raise Taken(inputs)


@dataclass
class FirstBatches:
    """The first batches of one recipe's data, against that of a ledger's first step.

    Attributes:
        recipe: the recipe, as the manual loop gets it.
        data: the recipe's data.
        theirs: the record of the ledger's first step.
        tried: how many first batches were made.
    """

    recipe: Recipe
    data: Data
    theirs: Record
    tried: int = 0
    _apart: dict[frozenset[Chosen], int | None] = field(default_factory=dict)

    def apart(self, chosen: Sequence[Chosen]) -> int | None:
        """How many inputs of the first forward pass are unequal; None where the loop breaks."""
        key = frozenset(chosen)
        if key not in self._apart:
            self.tried += 1
            self._apart[key] = self._compare(chosen)
        return self._apart[key]

    def _compare(self, chosen: Sequence[Chosen]) -> int | None:
        train = loop_with(chosen, load_model=_no_model)
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                train(self.recipe, self.data)
            except Taken as taken:
                ours = describe.batch(taken.inputs)
            except Exception:  # two deviations together may break the loop in any way
                return None
        pair = Pair({"batch": [ours]}, {"batch": self.theirs["batch"][:1]})
        return sum(unequal.weight == HARD for unequal in batch(pair))


def _no_model(recipe: Recipe) -> NoModel:
    """In the place of `load_model`: the generators are left as it leaves them."""
    set_generators(_after_load(recipe))
    return NoModel()


@lru_cache(maxsize=64)
def _after_load(recipe: Recipe) -> tuple[Any, ...]:
    load_model(recipe)
    return generators()
