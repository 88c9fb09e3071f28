"""The contracts between rooms (ARCHITECTURE.md): kept here, and broken where one is planted.

`lint-imports` reads them from pyproject.toml; CI runs it too.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports_command as lint; lint()"
LAYERS = "a room imports only the rooms below it"
WALL = "the tool for anybody's training knows nothing of the lesson"
NO_PICKLE = "checkpoints know no loop, and no pickle"
NO_TORCH = "ledger, diff and check need no torch"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of what the contracts speak of, with the contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("reference", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_the_contracts_are_kept(copied: Path) -> None:
    result = lint(copied)
    assert result.returncode == 0, result.stdout + result.stderr
    for contract in (LAYERS, WALL, NO_PICKLE, NO_TORCH):
        assert f"{contract} KEPT" in result.stdout


@pytest.mark.parametrize(
    ("room", "planted", "broken"),
    [
        ("diff", "from reference.lesson.recipe import Recipe", WALL),
        ("diff", "def late():\n    from reference.explain import search", LAYERS),
        ("ledger", "import torch", NO_TORCH),
        ("lesson/saving", "import pickle", NO_PICKLE),
        ("lesson/saving", "from reference.lesson.loops import manual", NO_PICKLE),
        ("check", "from reference.run import one_run", WALL),
        ("check", "import torch", NO_TORCH),
        ("process", "from reference.ledger import record", LAYERS),
    ],
)
def test_a_planted_import_breaks_its_contract(
    copied: Path, room: str, planted: str, broken: str
) -> None:
    (copied / "reference" / room / "planted.py").write_text(planted + "\n")
    result = lint(copied)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{broken} BROKEN" in result.stdout
    assert f"reference.{room.replace('/', '.')}.planted" in result.stdout


def test_a_new_room_must_be_put_in_its_place(copied: Path) -> None:
    (copied / "reference" / "attic").mkdir()
    (copied / "reference" / "attic" / "__init__.py").write_text("")
    result = lint(copied)
    assert result.returncode == 1, result.stdout
    assert "attic" in result.stdout
