"""No false alarm: by whatever recipe, the three loops are one run, and are said to be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, Memory
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe
from reference.observe.observer import Observer
from reference.observe.script.evaluate_scores import scores_taken
from reference.run.header import header
from reference.run.prepare import quiet
from tests.conftest import write_mrpc, write_sst2
from tests.helpers.strategies import RECIPES

ROWS = 44  # for training
Alarm = Callable[[Recipe, dict[str, Any]], None]


@pytest.fixture(scope="module")
def both_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    write_mrpc(folder, ROWS, 20)
    return write_sst2(folder, ROWS, 20)


def keep(recipe: Recipe, loop: str) -> Ledger:
    data = load_data(recipe)
    memory = Memory(header(recipe, loop, data))
    train = get_loop(loop)
    with Observer(memory) as observer, scores_taken(observer.add_scores):
        train(recipe, data)
    return memory.ledger


def no_alarm(recipe: Recipe) -> None:
    quiet()
    ledgers = {loop: keep(recipe, loop) for loop in LOOPS}
    for loop in LOOPS[1:]:
        verdict = diff(ledgers["trainer"], ledgers[loop])
        assert (verdict.verdict, verdict.steps) == ("identical", recipe.max_steps), verdict
    in_between = recipe.evaluation_steps(recipe.batches_per_epoch(ROWS))
    evaluated = [each["step"] for each in ledgers["trainer"].evaluations]
    assert evaluated == [*in_between, recipe.max_steps]


def common(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,  # the same recipes each time
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@common(6)
@given(changes=RECIPES)
def test_no_false_alarm(both_tasks: Path, changes: dict[str, Any]) -> None:
    no_alarm(replace(Recipe(data=str(both_tasks), device="cpu"), **changes))


@pytest.mark.slow
@common(120)
@given(changes=RECIPES)
def test_no_false_alarm_over_many_recipes(both_tasks: Path, changes: dict[str, Any]) -> None:
    no_alarm(replace(Recipe(data=str(both_tasks), device="cpu"), **changes))
