"""Each part of a checkpoint's state, left out once, makes another run, and the diff sees it.

Nothing in these runs draws from Python's or NumPy's generator, so that no ledger shows them:
`test_generators.py` looks at them directly.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.lesson.saving.manifest import MANIFEST, describe, read_manifest
from reference.run.one_run import run
from reference.run.saving import Saving

STEP = 4  # of 12: in the middle of the first epoch


def _edit(folder: Path, name: str, content: bytes) -> None:
    """Another content of one file, which the manifest vouches for."""
    manifest = read_manifest(folder)
    (folder / name).write_bytes(content)
    files = {**manifest.files, name: describe(content)}
    (folder / MANIFEST).write_bytes(replace(manifest, files=files).encode())


def _in_state(change: Callable[[Any], None]) -> Callable[[Path, Path], None]:
    def edit(folder: Path, _earlier: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        change(state)
        _edit(folder, "state.json", json.dumps(state).encode())

    return edit


def _of_earlier(name: str, prefix: str = "") -> Callable[[Path, Path], None]:
    """What the checkpoint before had in its place."""

    def edit(folder: Path, earlier: Path) -> None:
        tensors = safetensors.torch.load((folder / name).read_bytes())
        before = safetensors.torch.load((earlier / name).read_bytes())
        kept = {n: before[n] if n.startswith(prefix) else t for n, t in tensors.items()}
        _edit(folder, name, safetensors.torch.save(kept))

    return edit


def _no_moments(folder: Path, _earlier: Path) -> None:
    _edit(folder, "optimizer.safetensors", safetensors.torch.save({}))


LEFT_OUT: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "weights": ("weights", _of_earlier("weights.safetensors")),
    "moments": ("update", _no_moments),
    "hyper-parameters": (
        "optimizer",
        _in_state(lambda state: state["optimizer"]["groups"][0].update(betas=[0.8, 0.999])),
    ),
    "scheduler": ("schedule", _in_state(lambda state: state["lr_scheduler"].update(last_epoch=0))),
    "torch's generator": ("rng", _of_earlier("generators.safetensors", "now.")),
    "rows": ("batch", _in_state(lambda state: state.update(rows=0))),
    "epoch": ("batch", _in_state(lambda state: state.update(epoch=1))),
}


@pytest.fixture(scope="module")
def saved(small_glue: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    from reference.lesson.recipe_sources import load_recipe

    changes = {"data": str(small_glue), "device": "cpu", "num_train_epochs": 2}
    recipe = load_recipe("embedded", changes)
    folder = tmp_path_factory.mktemp("saved") / "run"
    run(recipe, "manual", folder, saving=Saving(every=1))
    return recipe, folder


@pytest.mark.parametrize(("link", "edit"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_left_out_is_seen(
    saved: tuple[Recipe, Path], tmp_path: Path, link: str, edit: Callable[[Path, Path], None]
) -> None:
    recipe, whole = saved
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "metrics.json").unlink()
    checkpoints = folder / "checkpoints"
    edit(checkpoints / f"step-{STEP:08}", checkpoints / f"step-{STEP - 1:08}")
    named = str(checkpoints / f"step-{STEP:08}")
    run(recipe, "manual", folder, saving=Saving(resume=named))
    verdict = diff(read_ledger(whole / LEDGER_FILE), read_ledger(folder / LEDGER_FILE))
    assert verdict.verdict == "diverged"
    assert (verdict.step, verdict.link) == (STEP + 1, link)
