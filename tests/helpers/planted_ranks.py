"""Runs of the Accelerate loop in several processes, with deviations planted in it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reference.deviations import OF_SEVERAL, Chosen
from reference.explain.command import explain
from reference.explain.ranks_replay import train_ranks
from reference.explain.search import Explanation
from reference.lesson.recipe import Recipe
from reference.process.workers import Starter
from tests.conftest import write_mrpc

# Three whole batches of 8 and one of a single row an epoch; the evaluation is of an odd number.
ROWS, EVALUATED = 25, 21


def write_data(folder: Path) -> Path:
    return write_mrpc(folder, ROWS, EVALUATED)


def setting(recipe: Recipe, name: str) -> Recipe:
    """The recipe at which a deviation of several processes shows."""
    fields: dict[str, Any] = dict(OF_SEVERAL[name].shows_in_recipe)
    return replace(recipe, **fields)


def keep_ranks(
    start: Starter, folder: Path, recipe: Recipe, chosen: Sequence[Chosen] = (), size: int = 2
) -> Path:
    """The folder with the ledgers of the loop with these switched on."""
    folder.mkdir(parents=True)
    train_ranks(start, folder, recipe, chosen, size)
    return folder


def names(found: Explanation) -> set[str]:
    return {c.deviation.name for c in found.outcome.chosen}


def explained(run: Path, recipe: Recipe) -> Explanation:
    return explain(run, recipe)
