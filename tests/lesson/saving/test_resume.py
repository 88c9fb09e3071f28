"""A run that goes on from a checkpoint has the ledger of one that never stopped, byte for byte."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from reference.run.saving import Saving

LOOPS = ("manual", "accelerated")
# 5 batches of 8 and one of 4 an epoch, dropout on.
EVERY_STEP: dict[str, dict[str, Any]] = {
    "warm-up, and an evaluation each epoch": {
        "num_train_epochs": 2,
        "num_warmup_steps": 4,
        "eval_strategy": "epoch",
    },
    "accumulation with an uneven end": {"gradient_accumulation_steps": 4},
}
ONE_STEP: dict[str, tuple[int, dict[str, Any]]] = {
    "global order": (4, {"data_order": "global", "num_train_epochs": 2}),
    "global order, from an epoch's end": (6, {"data_order": "global", "num_train_epochs": 2}),
    "no shuffling": (8, {"data_order": "sequential", "max_steps": 10}),
    "bf16": (4, {"mixed_precision": "bf16", "max_steps": 8}),
    "ends within an epoch": (7, {"max_steps": 8}),
    "evaluated in the step before": (
        3,
        {"eval_strategy": "steps", "eval_steps": 3, "max_steps": 8},
    ),
    "plain AdamW": (3, {"optimizer": "adamw_torch", "weight_decay": 0.1, "max_steps": 6}),
}

Known = tuple[Path, Recipe]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Recipe], Path]:
    """A whole run's folder without checkpoints, and beside it one that kept one of each step."""
    known: dict[tuple[str, Recipe], Path] = {}

    def make(loop: str, recipe: Recipe) -> Path:
        if (loop, recipe) not in known:
            folder = known[loop, recipe] = tmp_path_factory.mktemp(loop)
            run(recipe, loop, folder / "whole")
            run(recipe, loop, folder / "saved", saving=Saving(every=1))
        return known[loop, recipe]

    return make


def metrics_of(folder: Path) -> dict[str, Any]:
    """All but the time, which no two runs have alike."""
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    assert metrics.pop("seconds") > 0
    return metrics


def stopped_at(made: Path, step: int, to: Path) -> Path:
    """The folder of a run that was killed some steps after a checkpoint: its ledger is longer."""
    shutil.copytree(made / "saved", to)
    (to / "metrics.json").unlink()
    for each in (to / "checkpoints").iterdir():
        if each.name > f"step-{step:08}":
            shutil.rmtree(each)
    return to


def resumed_at(made: Path, step: int, to: Path, recipe: Recipe, loop: str) -> None:
    """Resume there, and hold the run against the whole one."""
    folder = stopped_at(made, step, to)
    run(recipe, loop, folder, saving=Saving(every=1, resume="newest"))
    whole = made / "whole"
    assert diff(read_ledger(whole / LEDGER_FILE), read_ledger(folder / LEDGER_FILE)).verdict == (
        "identical"
    )
    assert (folder / LEDGER_FILE).read_bytes() == (whole / LEDGER_FILE).read_bytes()
    assert metrics_of(folder) == metrics_of(whole)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("changes", EVERY_STEP.values(), ids=EVERY_STEP.keys())
def test_resumed_at_every_step(
    small: Recipe,
    made: Callable[[str, Recipe], Path],
    tmp_path: Path,
    loop: str,
    changes: dict[str, Any],
) -> None:
    recipe = replace(small, **changes)
    folder = made(loop, recipe)
    assert (folder / "saved" / LEDGER_FILE).read_bytes() == (
        folder / "whole" / LEDGER_FILE
    ).read_bytes()
    saved = sorted(each.name for each in (folder / "saved" / "checkpoints").iterdir())
    steps = metrics_of(folder / "whole")["steps"]
    assert saved == [f"step-{step:08}" for step in range(1, steps)]
    for step in range(1, steps):
        resumed_at(folder, step, tmp_path / str(step), recipe, loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("step", "changes"), ONE_STEP.values(), ids=ONE_STEP.keys())
def test_resumed_at_a_step(
    small: Recipe,
    made: Callable[[str, Recipe], Path],
    tmp_path: Path,
    loop: str,
    step: int,
    changes: dict[str, Any],
) -> None:
    recipe = replace(small, **changes)
    resumed_at(made(loop, recipe), step, tmp_path / "resumed", recipe, loop)


def test_resumed_again_and_again(
    small: Recipe, made: Callable[[str, Recipe], Path], tmp_path: Path
) -> None:
    """A run that is ended after each step and resumed is the whole run, too."""
    recipe = replace(small, **EVERY_STEP["accumulation with an uneven end"])
    folder, whole = tmp_path / "run", made("manual", recipe) / "whole"
    for until in range(1, 6):
        resume = None if until == 1 else "newest"
        with pytest.raises(SystemExit):
            run(recipe, "manual", folder, until=until, saving=Saving(1, 2, resume))
    run(recipe, "manual", folder, saving=Saving(1, 2, "newest"))
    assert (folder / LEDGER_FILE).read_bytes() == (whole / LEDGER_FILE).read_bytes()
    kept = sorted(each.name for each in (folder / "checkpoints").iterdir())
    assert kept == ["step-00000004", "step-00000005"]
