"""Stopped from outside: one line, the right exit code, no process left, a ledger that says so."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.errors import InputError
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.process.signals import Stopped, signals_raise
from reference.run import one_run
from tests.conftest import ROOT

MARK = "TEST_OF_SIGNALS"  # a variable by which the processes of a run are known
LONG = ["--num-train-epochs", "500", "--device", "cpu"]

STOPS: dict[str, tuple[signal.Signals, bool, int, str]] = {
    "Ctrl-C": (signal.SIGINT, True, 130, "stopped by Ctrl-C"),  # to the whole foreground group
    "SIGTERM": (signal.SIGTERM, False, 143, "stopped by SIGTERM"),
    "a closed terminal": (signal.SIGHUP, True, 129, "stopped by SIGHUP"),
    "killed": (signal.SIGKILL, False, -9, ""),
}
ALIKE = ("SIGTERM", "a closed terminal")  # other signals by the same handler as Ctrl-C


@pytest.mark.parametrize(
    ("number", "group", "code", "words"),
    [
        pytest.param(*stop, id=name, marks=[pytest.mark.slow] if name in ALIKE else [])
        for name, stop in STOPS.items()
    ],
)
def test_a_stopped_comparison_leaves_no_process(
    number: signal.Signals, group: bool, code: int, words: str, small_glue: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    options = ["--data", str(small_glue), *LONG, "--run-dir", str(run_dir)]
    process = subprocess.Popen(
        [sys.executable, "-m", "reference", "compare", *options],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: str(run_dir)},
        start_new_session=True,
    )
    ledgers = [run_dir / loop / LEDGER_FILE for loop in LOOPS]
    # With a header: one that was stopped before it has an empty file, which reading says.
    wait_until(lambda: all(path.exists() and path.stat().st_size for path in ledgers))
    assert len(marked(run_dir)) == 5  # with the server that the loops were forked from
    (os.killpg if group else os.kill)(process.pid, number)
    _, error = process.communicate(timeout=600)
    assert process.returncode == code
    lines = [line for line in error.splitlines() if not re.match(r"\d+ s: ", line)]  # progress
    assert lines == ([f"reference: error: {words}"] if words else [])
    # A killed parent can wait for nobody: its loops see its end, and end their ledgers.
    wait_until(lambda: not marked(run_dir))
    for path in ledgers:
        ledger = read_ledger(path)
        assert ledger.end is None or not ledger.end["complete"]


def test_a_loop_that_isnt_compare_s_doesnt_need_its_input(small_glue: Path, tmp_path: Path) -> None:
    """`train` in a script, or under cron, has no input, and trains."""
    options = ["--data", str(small_glue), "--max-steps", "1", "--device", "cpu"]
    options += ["--run-dir", str(tmp_path / "run")]
    result = subprocess.run(
        [sys.executable, "-m", "reference", "train", "manual", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_raise_within_and_are_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as caught, signals_raise():
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_nohup_is_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_raise():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def wait_until(so: Callable[[], bool]) -> None:
    """Fails after ten minutes: a machine may have much else to do."""
    deadline = time.monotonic() + 600
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def marked(run_dir: Path) -> list[str]:
    """The processes of this machine that were started for the run (Linux)."""
    wanted = f"{MARK}={run_dir}".encode()
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                processes.append(entry.name)
        except OSError:
            continue  # it has ended, or is somebody else's
    return processes


def test_a_stop_that_a_library_takes_for_damage_is_a_stop(
    small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ledger stays: the checkpoint isn't wrong, and the run was no wrong input."""

    def train(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            raise InputError("model.safetensors: damaged") from None

    monkeypatch.setattr(one_run, "get_loop", lambda _: train)
    with pytest.raises(Stopped), signals_raise():
        one_run.run(small, "manual", tmp_path / "run")
    assert (tmp_path / "run" / LEDGER_FILE).exists()
    monkeypatch.setattr(one_run, "get_loop", lambda _: damaged)
    with pytest.raises(InputError), signals_raise():
        one_run.run(small, "manual", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def damaged(*_: object) -> None:
    raise InputError("model.safetensors: damaged")
