"""Runs of the Accelerate loop in several processes, with deviations planted in it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reference.deviations import OF_SEVERAL, Chosen
from reference.deviations.deviation import ACCELERATED
from reference.explain.explanation import Explanation
from reference.explain.ranks_replay import RankReplays, train_ranks
from reference.explain.search import explain_by
from reference.ledger.ledger_path import find_ledgers
from reference.lesson.data.pipeline import load_data
from reference.lesson.recipe import Recipe
from reference.observe.script.launcher import Launch
from reference.process.workers import Starter
from reference.run.header import header
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


def explained(start: Starter, run: Path, recipe: Recipe) -> Explanation:
    """As `explain` does it, by processes that were started before."""
    paths = find_ledgers(run)
    data = load_data(recipe)
    head = header(recipe, ACCELERATED, data, Launch(0, len(paths), ""))
    return explain_by(RankReplays(start, paths, head, recipe, data))
