"""A checkpoint is looked for, checked and hashed once a run, and again when a file was touched."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from reference.errors import InputError
from reference.lesson import checkpoints, embedded
from reference.lesson.checkpoints import check_checkpoint, find_checkpoint
from reference.lesson.recipe import Recipe
from reference.run.one_run import run


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded checkpoint, under a name that nothing is known of yet."""
    return Path(shutil.copytree(embedded.checkpoint_folder(), tmp_path / "bert"))


@pytest.mark.parametrize("name", ["embedded", "a folder"])
@pytest.mark.parametrize("loop", ["trainer", "manual"])
def test_a_run_looks_once(
    loop: str,
    name: str,
    folder: Path,
    small: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified = Counted(embedded.checkpoint_folder)
    config = Counted(checkpoints.read_config)
    hashed = Counted(hashlib.file_digest)
    tokenizer = Counted(AutoTokenizer.from_pretrained)
    monkeypatch.setattr(embedded, "checkpoint_folder", verified)
    monkeypatch.setattr(checkpoints, "read_config", config)
    monkeypatch.setattr(hashlib, "file_digest", hashed)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", tokenizer)
    checkpoints._checked.cache_clear()
    checkpoints._sha256.cache_clear()
    checkpoints._VOCABULARIES.clear()
    checkpoint = name if name == "embedded" else str(folder)
    run(replace(small, checkpoint=checkpoint, max_steps=3), loop, tmp_path / "run")
    assert hashed.calls == tokenizer.calls == 1
    assert (verified.calls, config.calls) == ((1, 0) if name == "embedded" else (0, 1))


def test_a_file_that_was_touched_is_looked_at_again(folder: Path) -> None:
    """Also where its size and its time are as before, as a careful copy leaves them."""
    first = find_checkpoint(str(folder))
    assert find_checkpoint(str(folder)) is first
    digest = first.sha256
    content = bytearray(first.weights.read_bytes())
    content[-1] ^= 1
    other = folder.parent / "other"
    other.write_bytes(content)
    shutil.copystat(first.weights, other)
    other.replace(first.weights)
    second = find_checkpoint(str(folder))
    assert second != first
    assert second.sha256 != digest


def test_a_tokenizer_that_was_touched_is_looked_at_again(folder: Path) -> None:
    recipe = Recipe(checkpoint=str(folder))
    check_checkpoint(recipe)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="no tokenizer"):
        check_checkpoint(recipe)
