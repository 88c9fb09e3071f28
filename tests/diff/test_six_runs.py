"""The forty-step script is the embedded recipe's run; its six edits part from it where they act."""

from pathlib import Path

import pytest

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe_sources import load_recipe
from reference.run.one_run import run
from tests.helpers.observing import observe
from tests.helpers.planted import explained
from tests.helpers.six import EDITS, REFERENCE, write_six

# The first step and link at which each parts from the reference, and the cause.
PARTS = {
    "other_seed": (1, "batch", "another-seed 43"),
    "no_clip": (1, "clip", "no-clip"),
    "decay": (1, "optimizer", "weight-decay 0.01"),
    "eval_mode": (1, "mode", "eval-mode"),
    "never_zeroed": (2, "gradient", "never-zeroed"),
    "schedule_never_stepped": (1, "schedule", "schedule-never-stepped"),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """What the manual loop does."""
    folder = tmp_path_factory.mktemp("manual") / "run"
    run(load_recipe("embedded", {"max_steps": 40, "device": "cpu"}), "manual", folder)
    return read_ledger(folder / LEDGER_FILE)


def test_forty_steps_are_the_recipes(reference: Ledger, tmp_path: Path) -> None:
    result = observe(tmp_path / "run", REFERENCE)
    assert result.returncode == 0, result.stderr
    ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
    assert len(ledger.steps) == 40
    # `observe` also looks for schedulers, which the lesson's own runs have no need of.
    assert all("schedulers" in step["chores"] for step in ledger.steps)
    for step in ledger.steps:
        del step["chores"]["schedulers"]
    assert ledger.steps == reference.steps
    assert ledger.end["weights"] == reference.end["weights"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_six_runs(name: str, reference: Ledger, tmp_path: Path) -> None:
    script = write_six(tmp_path)[name]
    result = observe(tmp_path / "run", script)
    assert result.returncode == 0, result.stderr
    ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
    assert len(ledger.steps) == 40
    step, link, cause = PARTS[name]
    verdict = diff(reference, ledger)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", step, link)
    recipe = load_recipe("embedded", {"max_steps": 40, "device": "cpu"})
    found = explained(ledger, recipe)
    assert found.proven
    assert list(map(str, found.outcome.chosen)) == [cause]


def test_each_edit_finds_its_place(tmp_path: Path) -> None:
    assert len(write_six(tmp_path)) == len(EDITS) == len(PARTS) == 6
