"""Runs of the manual loop with deviations planted in it, and what `explain` makes of them."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from reference.deviations import CATALOGUE, Chosen, train_with
from reference.explain.explanation import Explanation
from reference.explain.search import explain
from reference.ledger.reader import Ledger, Memory
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe
from reference.observe.observer import Observer
from reference.observe.script.evaluate_scores import scores_taken
from reference.run.header import header


def planted(name: str) -> Chosen:
    """The deviation with the value that shows on the tests' 44 short pairs."""
    return Chosen(CATALOGUE[name], CATALOGUE[name].in_tests.value)


def setting(recipe: Recipe, *names: str) -> Recipe:
    """The recipe at which these deviations show."""
    fields: dict[str, Any] = {}
    for deviation in (CATALOGUE[name] for name in names):
        fields.update({**deviation.shows_in_recipe, **deviation.in_tests.recipe})
    return replace(recipe, **fields)


@lru_cache(maxsize=4)
def _data(task: str, data: str, checkpoint: str, max_length: int) -> Data:
    return load_data(Recipe(task=task, data=data, checkpoint=checkpoint, max_length=max_length))


def data_of(recipe: Recipe) -> Data:
    return _data(recipe.task, recipe.data, recipe.checkpoint, recipe.max_length)


def keep(recipe: Recipe, *chosen: Chosen) -> Ledger:
    """The ledger of the manual loop with these switched on."""
    torch.set_num_threads(recipe.num_threads)  # as its header says, whatever test came before
    data = data_of(recipe)
    memory = Memory(header(recipe, "manual", data))
    with Observer(memory) as observer, scores_taken(observer.add_scores):
        train_with(chosen)(recipe, data)
    return memory.ledger


def explained(target: Ledger, recipe: Recipe) -> Explanation:
    data = data_of(recipe)
    return explain(target, header(recipe, "manual", data), recipe, data)


def names(found: Explanation) -> set[str]:
    return {c.deviation.name for c in found.outcome.chosen}


def answer(name: str) -> str:
    """What is named where this one is planted: a twin is the same run by another name."""
    return CATALOGUE[name].same_run_as or name
