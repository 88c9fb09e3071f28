"""The three loops are the same run: every link of every step, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.run.one_run import run

SAME_RUN: dict[str, dict[str, Any]] = {
    "as the embedded recipe": {},
    "warm-up and decay": {"num_warmup_steps": 5, "weight_decay": 0.1, "learning_rate": 3e-4},
    "global order": {"data_order": "global"},
    "no shuffling": {"data_order": "sequential"},
    "no clip, another eps": {"max_grad_norm": 0.0, "adam_epsilon": 1e-6},
    "plain AdamW": {"optimizer": "adamw_torch", "adam_beta1": 0.8, "adam_beta2": 0.99},
    "bf16": {"mixed_precision": "bf16"},
    "no dropout, other batches": {"dropout": 0.0, "train_batch_size": 5, "eval_batch_size": 7},
    "ends within an epoch": {"max_steps": 8},
    "truncated": {"max_length": 32, "seed": 7},
}


def keep(recipe: Recipe, loop: str, folder: Path) -> Ledger:
    run(recipe, loop, folder)
    return read_ledger(folder / LEDGER_FILE)


@pytest.mark.parametrize("changes", SAME_RUN.values(), ids=SAME_RUN.keys())
def test_three_loops_are_one_run(small: Recipe, tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = replace(small, **changes)
    ledgers = {loop: keep(recipe, loop, tmp_path / loop) for loop in LOOPS}
    _, steps = recipe.duration(-(-44 // recipe.train_batch_size))
    for loop in LOOPS[1:]:
        verdict = diff(ledgers["trainer"], ledgers[loop])
        assert (verdict.verdict, verdict.steps) == ("identical", steps), verdict
    assert ledgers["manual"].steps[-1]["schedule"]["next_learning_rate"] == [0.0]


def test_what_the_parity_rests_on_is_active(small: Recipe, tmp_path: Path) -> None:
    """Dropout moves the loss, clipping moves gradients, three epochs are walked, weights move."""
    ledger = keep(small, "manual", tmp_path / "a")
    calm = keep(replace(small, dropout=0.0), "manual", tmp_path / "b")
    assert len(ledger.steps) == 18
    assert ledger.steps[0]["forward"] != calm.steps[0]["forward"]
    assert any(step["gradient"]["norm"] > 1.0 for step in ledger.steps)
    assert all(step["clip"]["norm"] <= 1.0001 for step in ledger.steps)
    assert len({step["update"]["hash"] for step in ledger.steps}) == 18
    assert [b["labels"][1] for b in ledger.steps[5]["batch"]] == [[4]]


def test_a_run_repeats_itself(small: Recipe, tmp_path: Path) -> None:
    first, second = (keep(small, "manual", tmp_path / name) for name in "ab")
    assert diff(first, second).verdict == "identical"


def test_accumulation_loops_agree_with_the_full_batch(small: Recipe, tmp_path: Path) -> None:
    """4 batches of 2 are one of 8, also where the last window holds 4 pairs and not 8."""
    whole = replace(small, dropout=0.0)
    parts = replace(whole, train_batch_size=2, gradient_accumulation_steps=4)
    full, manual = keep(whole, "manual", tmp_path / "full"), keep(parts, "manual", tmp_path / "m")
    accelerated = keep(parts, "accelerated", tmp_path / "a")
    assert diff(manual, accelerated).verdict == "identical"
    assert len(full.steps) == len(manual.steps) == 18
    for a, b in zip(full.steps[:6], manual.steps[:6], strict=True):
        assert b["gradient"]["norm"] == pytest.approx(a["gradient"]["norm"], rel=1e-3)


def test_the_trainer_accumulates_wrongly_for_bert(small: Recipe, tmp_path: Path) -> None:
    """transformers issue 47688: it doesn't divide by the steps. When this fails, it was mended."""
    parts = replace(small, dropout=0.0, train_batch_size=2, gradient_accumulation_steps=4)
    trainer, manual = (keep(parts, loop, tmp_path / loop) for loop in ("trainer", "manual"))
    verdict = diff(trainer, manual)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "gradient")
    ratio = trainer.steps[0]["gradient"]["norm"] / manual.steps[0]["gradient"]["norm"]
    assert ratio == pytest.approx(4.0, rel=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_three_loops_are_one_run_on_a_gpu(small: Recipe, tmp_path: Path, precision: str) -> None:
    assert torch.cuda.is_available()
    recipe = replace(small, device="cuda", mixed_precision=precision)
    ledgers = {loop: keep(recipe, loop, tmp_path / loop) for loop in LOOPS}
    assert torch.are_deterministic_algorithms_enabled()
    for loop in LOOPS[1:]:
        verdict = diff(ledgers["trainer"], ledgers[loop])
        assert (verdict.verdict, verdict.steps) == ("identical", 18), verdict
