"""`explain` on runs of several processes: proven by replay in as many."""

from dataclasses import replace
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.deviations import CATALOGUE, OF_SEVERAL, Chosen
from reference.explain.command import explain
from reference.explain.explanation_text import json_line, words
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.workers import Starter
from tests.helpers.planted_ranks import explained, keep_ranks, names, setting, write_data
from tests.helpers.ranks import run_ranks

# Twenty recipes, none of which may be taken for a deviation.
SOUND: list[dict[str, object]] = [
    {},
    {"dropout": 0.0},
    {"seed": 7},
    {"data_order": "sequential"},
    {"data_order": "global"},
    {"train_batch_size": 4},
    {"train_batch_size": 5},
    {"train_batch_size": 2},
    {"eval_batch_size": 5},
    {"learning_rate": 5e-5},
    {"weight_decay": 0.1},
    {"max_grad_norm": 0.0},
    {"num_warmup_steps": 3},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 3, "dropout": 0.0},
    {"max_steps": 5},
    {"optimizer": "adamw_torch"},
    {"mixed_precision": "bf16"},
    {"sharing": "split"},
    {"sharing": "whole"},
]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    data = write_data(tmp_path_factory.mktemp("data") / "glue")
    return load_recipe("embedded", {"data": str(data), "device": "cpu", "num_train_epochs": 2})


def test_a_deviation_is_proven_on_two_processes(
    recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    short = replace(recipe, max_steps=2)
    planted = [Chosen(OF_SEVERAL["scheduler-stepped-by-each-process"])]
    found = explain(keep_ranks(start, tmp_path / "run", short, planted), short)
    assert found.proven
    said = words(found)
    assert said[0] == "proven: scheduler-stepped-by-each-process (on 2 processes)"
    assert said[1].startswith("  step 1, rank 0, link schedule: next_learning_rate: ")
    assert said[-1].endswith("the last one equal in every link of all 2 steps")
    assert '"ranks": 2' in json_line("run", found)


def test_an_evaluation_made_twice_is_proven_on_two_processes(
    recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    short = replace(recipe, max_steps=1)
    run = keep_ranks(start, tmp_path / "run", short, [Chosen(CATALOGUE["evaluated-twice"])])
    found = explained(start, run, short)
    assert (found.proven, names(found)) == (True, {"evaluated-twice"}), words(found)


def test_a_rank_without_a_ledger_is_named(
    recipe: Recipe, start: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = keep_ranks(start, tmp_path / "run", replace(recipe, max_steps=1))
    (run / "ledger-1.jsonl").unlink()
    assert main(["explain", str(run)]) == 2
    assert "the ledger of rank 1 isn't there" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_SEVERAL)
def test_each_is_named_and_proven(
    name: str, recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    recipe = setting(recipe, name)
    run = keep_ranks(start, tmp_path / "run", recipe, [Chosen(OF_SEVERAL[name])])
    found = explained(start, run, recipe)
    assert (found.proven, names(found)) == (True, {name}), words(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learning-rate", "no-clip", "beta2", "evaluated-twice"])
def test_deviations_of_one_process_are_proven_on_two(
    name: str, recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    deviation = CATALOGUE[name]
    run = keep_ranks(start, tmp_path / "run", recipe, [Chosen(deviation, deviation.in_tests.value)])
    found = explained(start, run, recipe)
    assert (found.proven, names(found)) == (True, {name}), words(found)


@pytest.mark.slow
def test_two_together_are_proven(recipe: Recipe, start: Starter, tmp_path: Path) -> None:
    planted = ("gradients-summed", "set-epoch-forgotten")
    chosen = [Chosen(OF_SEVERAL[name]) for name in planted]
    found = explained(start, keep_ranks(start, tmp_path / "run", recipe, chosen), recipe)
    assert (found.proven, names(found)) == (True, {*planted}), words(found)


@pytest.mark.slow
def test_the_trainer_is_explained_on_two_processes(
    recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    """It repeats rows of an uneven last batch, and makes the gradient twice as large."""
    given = ["trainer", "--device", "cpu", "--data", recipe.data, "--learning-rate", "5e-4"]
    run = run_ranks(start, tmp_path / "trainer", 2, [*given, "--num-train-epochs", "2"])
    found = explained(start, run.folder / "run", recipe)
    assert (found.proven, names(found)) == (True, {"gradients-summed", "split-batches"}), words(
        found
    )


@pytest.mark.slow
@pytest.mark.parametrize("changes", SOUND, ids=str)
def test_no_sound_run_is_explained_away(
    changes: dict[str, object], recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    recipe = replace(recipe, **changes)  # type: ignore[arg-type]  # fields of a recipe
    found = explained(start, keep_ranks(start, tmp_path / "run", recipe), recipe)
    assert (found.proven, found.replays, names(found)) == (True, 1, set()), words(found)
    assert "identical: this is the recipe's own run" in words(found)[0]
