"""A benchmark that is killed while it stores its run: the stored ones are as they were."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.results.stored_run import read_run
from tests.benchmarks.stopped import LONGEST
from tests.benchmarks.test_compare import compare
from tests.conftest import ROOT

# Whatever is opened for writing in the folder stops in the middle, and says so.
PLANT = """
import builtins, io, os, time

really_open = io.open

def slow(file, mode="r", *args, **kwargs):
    opened = really_open(file, mode, *args, **kwargs)
    if "w" in mode and str(file).startswith(os.environ["SLOW_FOLDER"]):
        write = opened.write

        def half(text):
            write(text[: len(text) // 2])
            opened.flush()
            really_open(os.environ["SAID"], "x").close()
            time.sleep(600)

        opened.write = half
    return opened

builtins.open = io.open = slow
"""


def kill_while_saving(folder: Path, into: Path, *words: str) -> None:
    """`pytest benchmarks` with these words, killed with half of its run written under `into`."""
    (folder / "slow_plant.py").write_text(PLANT)
    said = folder / "said"
    said.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "slow_plant", "benchmarks"]
    variables = {"PYTHONPATH": str(folder), "SLOW_FOLDER": str(into), "SAID": str(said)}
    saving = subprocess.Popen(
        [*command, "-k", "collating", *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + LONGEST
        while not said.exists():
            assert saving.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        saving.kill()
    assert saving.wait() == -signal.SIGKILL


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    storage = tmp_path / "stored"
    first = compare(storage, "--benchmark-compare", f"--benchmark-json={storage}/run.json")
    assert first.returncode == 0, first.stdout + first.stderr
    return storage


@pytest.mark.slow  # nearly a minute, of six sessions
def test_stored_runs_outlive_a_kill(tmp_path: Path, storage: Path) -> None:
    (stored,) = storage.glob("*/0001_*.json")
    run = storage / "run.json"
    before = {file: file.read_bytes() for file in (stored, run)}
    for words in ([f"--benchmark-json={run}"], ["--benchmark-save=killed"]):
        kill_while_saving(tmp_path, storage, f"--benchmark-storage=file://{storage}", *words)
        found = {file: file.read_bytes() for file in storage.rglob("*.json")}
        assert found == before
    read_run(run)
    after = compare(storage, "--benchmark-compare", "--benchmark-autosave")
    assert after.returncode == 0, after.stdout + after.stderr
    assert "(0001" in after.stdout
    assert len(list(storage.glob("*/000[12]_*.json"))) == 2
