"""A ledger that is none is answered before torch is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROGRAM = (
    "import sys, pathlib\n"
    "from reference.errors import InputError\n"
    "from reference.explain.command import explain_ledger\n"
    "from reference.lesson.recipe_sources import EMBEDDED\n"
    "try:\n"
    "    explain_ledger(pathlib.Path(sys.argv[1]), EMBEDDED)\n"
    "except InputError as error:\n"
    "    print(error)\n"
    "print('torch' in sys.modules)\n"
)


def said_of(ledger: Path) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ledger)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("# A page\n", "row 1: not JSON"),
        ('{"kind": "header", "schema": 2}\n', "holds no step; there is nothing to explain"),
        (
            '{"kind": "header", "schema": 2}\n{"kind": "step", "step": 1, "clip": 3}\n',
            "row 2: field clip",
        ),
    ],
)
def test_what_is_no_ledger_is_said_before_torch_is_loaded(
    text: str, error: str, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_text(text)
    message, torch_is_loaded = said_of(file)
    assert f"{file}: {error}" in message
    assert torch_is_loaded == "False"


def test_a_missing_ledger_is_said_too(tmp_path: Path) -> None:
    assert said_of(tmp_path / "none")[-1] == "False"


def test_the_check_sees_torch_where_it_is_loaded() -> None:
    program = "import sys, reference.explain.session\nprint('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "True"
