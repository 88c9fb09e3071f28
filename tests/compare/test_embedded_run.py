"""The main job, whole: the embedded recipe, three loops of 1377 steps each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson import embedded
from reference.lesson.loops import LOOPS
from reference.lesson.recipe_sources import RECIPES
from tests.conftest import GLUE, ROOT

MAJORITY = 279 / 408  # what calling every pair a paraphrase scores
MAJORITY_F1 = 2 * 279 / (2 * 279 + 129)
MARGIN = 0.15


def compare_whole(run_dir: Path, *arguments: str, timeout: float) -> str:
    """What `compare` prints in a process of its own, which says identical over 1377 steps."""
    result = subprocess.run(
        [sys.executable, "-m", "reference", "compare", *arguments, "--run-dir", str(run_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "identical: 3 loops, 1377 steps" in result.stdout
    return result.stdout


@pytest.mark.slow  # CI runs the command itself, and looks at what it prints
def test_compare_as_the_readme_has_it(tmp_path: Path) -> None:
    said = compare_whole(tmp_path / "run", timeout=3600)
    assert "\nscores: within the range of 30 stored seeds of this recipe: " in said
    for loop in LOOPS:
        metrics = json.loads((tmp_path / "run" / loop / "metrics.json").read_text())
        assert metrics["steps"] == 1377
        assert metrics["scores"]["accuracy"] >= MAJORITY + MARGIN
        assert metrics["scores"]["f1"] >= MAJORITY_F1 + MARGIN / 2
    ledger = read_ledger(tmp_path / "run" / "manual" / LEDGER_FILE)
    rate = ledger.header["recipe"]["learning_rate"]
    for done, step in enumerate(ledger.steps):
        assert step["schedule"]["learning_rate"] == [rate * ((1377 - done) / 1377)]
    assert ledger.steps[-1]["schedule"]["next_learning_rate"] == [0.0]


@pytest.mark.slow
@pytest.mark.real
def test_real_weights_on_real_text(tmp_path: Path) -> None:
    """MiniLM on GLUE's MRPC, three loops of 1377 steps: about 20 minutes on 2 cores."""
    arguments = ["--recipe", "course", "--data", str(GLUE), "--checkpoint", "minilm"]
    compare_whole(tmp_path / "run", *arguments, timeout=36000)
    scores = json.loads((tmp_path / "run" / "manual" / "metrics.json").read_text())["scores"]
    assert scores["accuracy"] >= MAJORITY + 0.08
    assert scores["f1"] >= 0.85


def test_the_recipe_has_the_checkpoint_s_own_rate() -> None:
    """`recipe.py` imports nothing slow, so the number stands in two places."""
    assert RECIPES["embedded"].learning_rate == embedded.LEARNING_RATE
