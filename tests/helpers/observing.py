"""Runs scripts for the tests of `observe`: observed, and as Python runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

SCRIPTS = ROOT / "tests" / "scripts"
# Runs several scripts in one process, since importing torch takes seconds; prints their output.
TOGETHER = """
import contextlib, io, json, runpy, sys
printed = {}
for name, path, arguments in json.load(sys.stdin):
    sys.argv = [path, *arguments]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(path, run_name="__main__")
    printed[name] = out.getvalue()
json.dump(printed, sys.stdout)
"""


def python(*words: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`python WORDS`, with this package on the path and one thread."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        **options,
    )


def observe(
    run_dir: Path, *words: str | Path, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """`python -m reference observe --run-dir RUN_DIR WORDS`"""
    return python("-m", "reference", "observe", "--run-dir", run_dir, *words, **options)


def printed_by(scripts: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """What each of these scripts prints without an observer."""
    wanted = [(name, str(SCRIPTS / f"{name}.py"), arguments) for name, arguments in scripts]
    sys_path = {"cwd": SCRIPTS}  # `python -c` finds modules in its working directory
    result = python("-c", TOGETHER, input=json.dumps(wanted), **sys_path)
    assert result.returncode == 0, result.stderr
    printed: dict[str, str] = json.loads(result.stdout)
    return printed


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path
