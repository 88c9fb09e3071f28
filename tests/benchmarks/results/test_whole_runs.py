"""Runs that pytest-benchmark stores: each whole, each under a name of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.storage.file import FileStorage

from benchmarks.results import storing


class Quiet:
    def info(self, *_: Any, **__: Any) -> None:
        pass


def test_two_runs_that_are_saved_at_once_are_both_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have asked for the next number before either has its file."""
    storage = FileStorage(str(tmp_path), Quiet())
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))  # what each sees of the other: nothing
    storing._save(storage, {"run": 1}, "same")
    storing._save(storage, {"run": 2}, "same")
    names = ["0001_same.json", "0002_same.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    monkeypatch.undo()
    for name in ("9999_x.json", "10000_x.json"):
        (tmp_path / name).write_text("{}")
    storing._save(storage, {"run": 3}, "x")
    assert json.loads((tmp_path / "10001_x.json").read_text()) == {"run": 3}
