"""A new Python runs a part of this package, and takes all else from its own environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from reference.process import new_python
from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT


def run(module: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *new_python.words_for(module), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_the_package_is_found_from_anywhere(tmp_path: Path) -> None:
    result = run("reference.__main__", "--version", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_what_lies_beside_the_package_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it is installed among another environment's libraries."""
    (tmp_path / "reference").symlink_to(ROOT / "reference")
    (tmp_path / "xxhash.py").write_text("raise SystemExit('the other environment')")
    monkeypatch.setattr(new_python, "PACKAGES", str(tmp_path))
    (tmp_path / "work").mkdir()
    result = run("reference.ledger.record", cwd=tmp_path / "work")
    assert "the other environment" not in result.stderr
    assert "cannot import name 'main'" in result.stderr  # all before it was imported
