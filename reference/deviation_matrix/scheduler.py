"""The matrix's tasks in processes of their own, a few at once; what is done isn't done again.

Used by `python -m reference deviations --matrix`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reference.deviation_matrix.one_run import is_done
from reference.deviations import CATALOGUE
from reference.errors import TrainingFailed

POLL = 0.2  # seconds between two looks at the tasks


@dataclass(frozen=True)
class Task:
    """One run: at a setting, by a loop or with a deviation."""

    setting: str
    folder: Path
    what: str

    @property
    def cost(self) -> int:
        """In runs: a deviation is trained, and replayed about as long."""
        return 2 if self.what in CATALOGUE else 1


def run_tasks(rounds: Sequence[Sequence[Task]], jobs: int, threads: int) -> None:
    """Each round when the one before is over; what is done already is left alone."""
    left = [[t for t in tasks if not is_done(t.folder, t.what)] for tasks in rounds]
    total, number = sum(map(len, rounds)), sum(map(len, rounds)) - sum(map(len, left))
    cost, done, began = sum(t.cost for tasks in left for t in tasks), 0, time.monotonic()
    for waiting in left:
        running: dict[Task, subprocess.Popen[bytes]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.pop(0)
                    running[task] = _start(task, threads)
                time.sleep(POLL)
                for task, process in list(running.items()):
                    if process.poll() is not None:
                        _check(task, process)
                        del running[task]
                        number, done = number + 1, done + task.cost
                        seconds = (time.monotonic() - began) * (cost - done) / done
                        _say(f"{number} of {total}: {task.what}, {task.setting}", seconds)
        finally:
            _stop(list(running.values()))


def _say(done: str, seconds: float) -> None:
    left = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    print(f"{done}; about {left} left", file=sys.stderr, flush=True)


def _start(task: Task, threads: int) -> "subprocess.Popen[bytes]":
    offline = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with open(task.folder / f"{task.what}.log", "wb") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "reference.deviation_matrix.one_run",
                str(task.folder),
                task.what,
            ],
            stdin=subprocess.PIPE,  # never written to: it ends when we do, and the task with it
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), **offline},
            start_new_session=True,  # Ctrl-C is ours to pass on
        )


def _check(task: Task, process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    if process.returncode != 0 or not is_done(task.folder, task.what):
        log = task.folder / f"{task.what}.log"
        lines = log.read_text(errors="replace").strip().splitlines() or ["no word of why"]
        raise TrainingFailed(f"{task.what}, {task.setting}: {lines[-1]}; see {log}")


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
