"""The pipeline by plain batches: equal first, and slower where it is slower."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.bounds.read import read_bounds
from benchmarks.planted_slowdowns import collator_work, seconds_of
from benchmarks.timing import recipes, rounds, timed_work
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe

ROUNDS = 4


@pytest.fixture(scope="module")
def embedded() -> tuple[Recipe, Data]:
    recipe = recipes.make_recipe("embedded", 6)
    return recipe, load_data(recipe)


def with_collator(data: Data, change: Callable[[Any], Any]) -> Data:
    collate = data.collator
    return replace(data, collator=lambda rows: change(collate(rows)))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_slower_pipeline_is_past_its_bound(embedded: tuple[Recipe, Data]) -> None:
    recipe, data = embedded
    (bound,) = (b for b in read_bounds().ratios if b.link == "batches")
    clean = rounds.measure_batches(recipe, data, ROUNDS)
    assert clean.low < bound.at_most
    started = time.thread_time()
    batches = sum(1 for _ in timed_work.pipeline_batches(replace(recipe, max_steps=100), data))
    own = (time.thread_time() - started) / batches
    calls = math.ceil(own / seconds_of(lambda: collator_work([])))  # twice as long

    def slower(batch: Any) -> Any:
        for _ in range(calls):
            collator_work([])
        return batch

    slow = rounds.measure_batches(recipe, with_collator(data, slower), ROUNDS)
    assert slow.low > max(bound.at_most, clean.high)


def test_unequal_batches_are_not_timed(embedded: tuple[Recipe, Data]) -> None:
    recipe, data = embedded

    def emptied(batch: Any) -> Any:
        batch["input_ids"] = batch["input_ids"].new_zeros(batch["input_ids"].shape)
        return batch

    with pytest.raises(TrainingFailed, match="batch 1: the pipeline's isn't the plain one"):
        rounds.measure_batches(recipe, with_collator(data, emptied), ROUNDS)
