"""Evaluation while training: the three loops' at the same steps, and one run before and after."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reference.deviations import loop_source
from reference.deviations.source_edits import apply, delete
from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS
from reference.lesson.metrics import mean_loss
from reference.lesson.recipe import Recipe
from reference.run import one_run
from reference.run.one_run import run

# The tests' corpus: 44 pairs, so that an epoch is 6 steps, the last one of 4 pairs; 20 to evaluate.
EACH: dict[str, tuple[dict[str, Any], list[int]]] = {
    "not in between": ({}, [18]),
    "each epoch": ({"eval_strategy": "epoch"}, [6, 12, 18]),
    "each epoch, and it ends within one": ({"eval_strategy": "epoch", "max_steps": 8}, [6, 8]),
    "so many steps": ({"eval_strategy": "steps", "eval_steps": 5}, [5, 10, 15, 18]),
    "so many steps, and the last": ({"eval_strategy": "steps", "eval_steps": 6}, [6, 12, 18]),
    "each step": ({"eval_strategy": "steps", "eval_steps": 1, "max_steps": 7}, [*range(1, 8)]),
    "more steps than there are": ({"eval_strategy": "steps", "eval_steps": 19}, [18]),
    "uneven batches": ({"eval_strategy": "epoch", "eval_batch_size": 7}, [6, 12, 18]),
    "global order": ({"eval_strategy": "epoch", "data_order": "global"}, [6, 12, 18]),
    "bf16": ({"eval_strategy": "epoch", "mixed_precision": "bf16"}, [6, 12, 18]),
}


def keep(recipe: Recipe, loop: str, folder: Path) -> tuple[Ledger, list[dict[str, Any]]]:
    metrics = run(recipe, loop, folder)
    return read_ledger(folder / LEDGER_FILE), metrics["evaluations"]


def scores_of(ledger: Ledger) -> list[tuple[int, dict[str, float]]]:
    return [(each["step"], each["metrics"]["scores"]) for each in ledger.evaluations]


@pytest.mark.parametrize(("changes", "steps"), EACH.values(), ids=EACH.keys())
def test_three_loops_evaluate_alike(
    small: Recipe, tmp_path: Path, changes: dict[str, Any], steps: list[int]
) -> None:
    recipe = replace(small, **changes)
    kept = {loop: keep(recipe, loop, tmp_path / loop) for loop in LOOPS}
    ledger, evaluations = kept["trainer"]
    assert [each["step"] for each in evaluations] == steps
    assert scores_of(ledger) == [(each["step"], each["scores"]) for each in evaluations]
    for loop in LOOPS[1:]:
        assert kept[loop][1] == evaluations  # with the loss, to the last digit
        verdict = diff(ledger, kept[loop][0], each_evaluation=True)
        assert (verdict.verdict, verdict.steps) == ("identical", steps[-1]), verdict


def test_an_evaluation_is_seen_in_what_follows(small: Recipe, tmp_path: Path) -> None:
    """Its DataLoader draws a number, as the Trainer's: a run without it is another run."""
    without, _ = keep(small, "manual", tmp_path / "without")
    recipe = replace(small, eval_strategy="epoch")
    verdict = diff(without, keep(recipe, "manual", tmp_path / "epoch")[0])
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 7, "rng")


def test_a_loop_that_stays_in_eval_mode_is_found(
    small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(small, eval_strategy="steps", eval_steps=4)
    sound, _ = keep(recipe, "trainer", tmp_path / "sound")
    text = apply(loop_source(), [("test", delete(" " * 16 + "model.train()"), None)])
    names: dict[str, Any] = {"__name__": "loop"}
    exec(compile(text, "loop.py", "exec"), names)
    monkeypatch.setattr(one_run, "get_loop", lambda _: names["train"])
    verdict = diff(sound, keep(recipe, "manual", tmp_path / "planted")[0])
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 5, "mode")


def test_accumulated_batches_are_evaluated_between_steps(small: Recipe, tmp_path: Path) -> None:
    """Their Trainer makes another gradient (transformers issue 47688), at the same steps."""
    recipe = replace(
        small, train_batch_size=2, gradient_accumulation_steps=4, eval_strategy="epoch"
    )
    kept = {loop: keep(recipe, loop, tmp_path / loop) for loop in LOOPS}
    for _, evaluations in kept.values():
        assert [each["step"] for each in evaluations] == [6, 12, 18]
    assert kept["manual"][1] == kept["accelerated"][1]
    assert diff(kept["manual"][0], kept["accelerated"][0]).verdict == "identical"


def test_the_loss_is_the_mean_over_rows() -> None:
    losses = torch.rand(1000, generator=torch.Generator().manual_seed(1))
    mean = mean_loss([*losses.split(7)])
    assert mean == float(losses.numpy().mean())
    assert mean == pytest.approx(float(np.mean(losses.numpy(), dtype=np.float64)), rel=1e-6)
    # A batch's loss is once there for each of its rows: batches of 3 and 1 don't weigh the same.
    assert mean_loss([torch.tensor(2.0).repeat(3), torch.tensor(6.0).repeat(1)]) == 3.0


def test_in_between_is_before_the_last_step() -> None:
    recipe = Recipe(num_train_epochs=3, gradient_accumulation_steps=2, eval_steps=4)
    assert [*recipe.evaluation_steps(5)] == []
    assert [*replace(recipe, eval_strategy="epoch").evaluation_steps(5)] == [3, 6]
    assert [*replace(recipe, eval_strategy="steps").evaluation_steps(5)] == [4, 8]
    assert [*replace(recipe, eval_strategy="steps", max_steps=4).evaluation_steps(5)] == []


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["epoch", "steps"])
def test_the_embedded_run_with_its_evaluations(tmp_path: Path, strategy: str) -> None:
    """All 1377 steps, evaluated each epoch or every 100 steps."""
    recipe = Recipe(name="embedded", learning_rate=5e-4, device="cpu", eval_strategy=strategy)
    kept = {loop: keep(recipe, loop, tmp_path / loop) for loop in LOOPS}
    ledger, evaluations = kept["trainer"]
    assert len(load_data(recipe).train) == 3668
    assert len(evaluations) == {"epoch": 3, "steps": 14}[strategy]
    assert evaluations[-1]["step"] == 1377
    for loop in LOOPS[1:]:
        assert kept[loop][1] == evaluations
        verdict = diff(ledger, kept[loop][0], each_evaluation=True)
        assert (verdict.verdict, verdict.steps) == ("identical", 1377), verdict
