"""What isn't resumed: another run, one that has ended, and a ledger that was cut or edited."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.optim.optimizer import register_optimizer_step_post_hook

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.lesson.saving.manifest import Damaged, Unusable
from reference.observe.observer import Observer
from reference.run.one_run import run
from reference.run.resumption import check_same
from reference.run.saving import Saving
from tests.conftest import write_mrpc

NEWEST = Saving(every=2, resume="newest")


@pytest.fixture(scope="module")
def stopped(small_glue: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """A run that was ended after 5 steps, with checkpoints of steps 2 and 4."""
    recipe = load_recipe("embedded", {"data": str(small_glue), "device": "cpu"})
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(SystemExit):
        run(recipe, "manual", folder, until=5, saving=Saving(every=2))
    return recipe, folder


@pytest.fixture
def copied(stopped: tuple[Recipe, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped[1], tmp_path / "run"))


CHANGES: dict[str, Any] = {"learning_rate": 3e-5, "seed": 7, "num_train_epochs": 2, "dropout": 0.0}


@pytest.mark.parametrize("changes", [{n: v} for n, v in CHANGES.items()] + [CHANGES], ids=str)
def test_another_recipe(
    stopped: tuple[Recipe, Path], copied: Path, changes: dict[str, Any]
) -> None:
    recipe, _ = stopped
    before = {path: path.read_bytes() for path in copied.rglob("*.*") if path.is_file()}
    with pytest.raises(InputError) as refused:
        run(replace(recipe, **changes), "manual", copied, saving=NEWEST)
    for name, value in changes.items():
        assert f"recipe.{name} was {getattr(recipe, name)}, is {value}" in str(refused.value)
    after = {path: path.read_bytes() for path in copied.rglob("*.*") if path.is_file()}
    assert {p: c for p, c in after.items() if p.name != ".lock"} == {
        p: c for p, c in before.items() if p.name != ".lock"
    }


def test_another_loop(stopped: tuple[Recipe, Path], copied: Path) -> None:
    with pytest.raises(InputError, match="loop was 'manual', is 'accelerated'"):
        run(stopped[0], "accelerated", copied, saving=NEWEST)


def test_other_data(stopped: tuple[Recipe, Path], copied: Path, tmp_path: Path) -> None:
    """The same folder's name, and other rows in it."""
    recipe = replace(stopped[0], data=str(write_mrpc(tmp_path / "other", 44, 19)))
    with pytest.raises(InputError, match=r"data\.sha256 was '\w+\.\.\.\w+', is "):
        run(recipe, "manual", copied, saving=NEWEST)


def test_other_versions(tmp_path: Path) -> None:
    saved = {"versions": {"torch": "2.10", "numpy": "2.1"}, "device": "cpu"}
    asked = {"versions": {"torch": "2.11", "numpy": "2.1"}, "device": "cpu", "rank": 0}
    with pytest.raises(
        InputError, match=r"rank was absent, is 0; versions\.torch was '2\.10', is '2\.11'"
    ):
        check_same(saved, asked, tmp_path)
    check_same(saved, saved, tmp_path)


def test_a_run_that_has_ended(small: Recipe, tmp_path: Path) -> None:
    recipe = replace(small, max_steps=3)
    run(recipe, "manual", tmp_path / "run", saving=Saving(every=2))
    with pytest.raises(InputError, match="has come to its end"):
        run(recipe, "manual", tmp_path / "run", saving=NEWEST)


def test_a_ledger_that_was_edited_or_cut(stopped: tuple[Recipe, Path], copied: Path) -> None:
    """The checkpoint of step 4 needs lines that are gone, and that of step 2 is whole."""
    ledger = copied / LEDGER_FILE
    content = ledger.read_bytes()
    lines = content.splitlines(keepends=True)
    of_step_4 = next(i for i, line in enumerate(lines) if b'"step":4,' in line)
    ledger.write_bytes(b"".join(lines[:of_step_4]))
    with pytest.raises(Damaged, match="hasn't the"):
        run(
            stopped[0],
            "manual",
            copied,
            saving=Saving(resume=str(copied / "checkpoints" / "step-00000004")),
        )
    with pytest.raises(SystemExit):
        run(stopped[0], "manual", copied, until=5, saving=NEWEST)
    assert ledger.read_bytes() == content
    ledger.write_bytes(content.replace(b'"batch"', b'"botch"', 1))
    with pytest.raises(Unusable, match="none to resume from"):
        run(stopped[0], "manual", copied, saving=NEWEST)


def test_a_ledger_that_had_lost_steps(small: Recipe, tmp_path: Path) -> None:
    """Where recording ended before the checkpoint, the ledger can't go on from it."""
    folder = tmp_path / "run"

    def lose(*_: Any) -> None:
        observers[-1].lose("planted")

    observers: list[Observer] = []
    begin_as_ever = Observer.start

    def start(self: Observer) -> Observer:
        observers.append(self)
        return begin_as_ever(self)

    handle = register_optimizer_step_post_hook(lose)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Observer, "start", start)
            run(replace(small, max_steps=4), "manual", folder, saving=Saving(every=2))
    finally:
        handle.remove()
    (folder / "metrics.json").unlink()
    with pytest.raises(Unusable, match=r"its ledger has \d steps of 2"):
        run(replace(small, max_steps=4), "manual", folder, saving=NEWEST)


def test_a_checkpoint_of_another_run(stopped: tuple[Recipe, Path], copied: Path) -> None:
    elsewhere = str(stopped[1] / "checkpoints" / "step-00000002")
    with pytest.raises(InputError, match="which has step-00000004, step-00000002"):
        run(stopped[0], "manual", copied, saving=Saving(resume=elsewhere))


def test_a_state_of_another_model(
    stopped: tuple[Recipe, Path], copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever doesn't fit is one line that names the checkpoint."""
    from reference.lesson.saving import checkpoints

    monkeypatch.setattr(checkpoints, "WEIGHTS", checkpoints.OPTIMIZER)
    with pytest.raises(Unusable, match="step-00000004: doesn't hold the state of such a run"):
        run(stopped[0], "manual", copied, saving=NEWEST)


@pytest.mark.parametrize("loop", ["trainer"])
def test_what_is_not_there_yet(small: Recipe, tmp_path: Path, loop: str) -> None:
    with pytest.raises(InputError, match="not for the trainer so far"):
        run(small, loop, tmp_path / "run", saving=Saving(every=2))
    assert not (tmp_path / "run").exists()
