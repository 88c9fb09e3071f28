"""Runs in processes of their own, so that none leaves anything behind for the next.

Used by `python -m reference compare`. The parent watches their ledgers grow, and their end is its
own: by Ctrl-C, a signal, or a kill.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reference.errors import InputError, TrainingFailed
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.process.run_folder import write_json
from reference.terminal import Progress

POLL = 0.2  # seconds between two looks at the ledgers


@dataclass(frozen=True)
class Job:
    """One loop by one recipe, into the new folder `parent / name`."""

    name: str
    loop: str
    recipe: Recipe


@dataclass
class Child:
    """One job's process, and how far its ledger has come."""

    name: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    steps: int = 0
    total: int | None = None
    _ledger: IO[bytes] | None = field(default=None, repr=False)
    _rest: bytes = b""

    def look(self) -> None:
        """Count the steps that were written since the last look."""
        if self._ledger is None:
            with suppress(FileNotFoundError):
                self._ledger = open(self.folder / LEDGER_FILE, "rb")  # noqa: SIM115
            if self._ledger is None:
                return
        *lines, self._rest = (self._rest + self._ledger.read()).split(b"\n")
        for line in lines:
            if line.startswith(b'{"kind":"step"'):
                self.steps += 1
            elif line.startswith(b'{"kind":"header"'):
                self.total = json.loads(line)["num_training_steps"]

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


def run_all(jobs: Sequence[Job], parent: Path, at_once: int, *, debug: bool = False) -> None:
    """Run all jobs into `parent`, so many at once, with a bar for each.

    Raises InputError or TrainingFailed with the line of the first that failed.
    """
    waiting = list(jobs)
    running: list[Child] = []
    progress = Progress([job.name for job in jobs])
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_start(waiting.pop(0), parent, debug=debug))
            for child in list(running):
                code = child.process.poll()
                child.look()
                progress.update(child.name, child.steps, child.total)
                if code is not None:
                    running.remove(child)
                    child.close()
                    _check(child, parent, code)
            if running:
                time.sleep(POLL)
    finally:
        _stop(running)
        with suppress(OSError):  # a closed terminal shows no bars
            progress.close()


def _start(job: Job, parent: Path, *, debug: bool) -> Child:
    folder = parent / job.name
    recipe = parent / f"{job.name}.json"
    write_json(recipe, job.recipe.to_json())
    command = [sys.executable, "-m", "reference", "train", job.loop]
    command += ["--recipe", str(recipe), "--run-dir", str(folder)]
    command += ["--stop-at-end-of-input", *["--debug"] * debug]
    threads = {"OMP_NUM_THREADS": str(job.recipe.num_threads), "TOKENIZERS_PARALLELISM": "false"}
    with open(parent / f"{job.name}.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: it ends when we do, and the loop with it
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    return Child(job.name, folder, process)


def _check(child: Child, parent: Path, code: int) -> None:
    """Raise what a child's exit code says, with the last line of its log."""
    if code == 0:
        return
    lines = (parent / f"{child.name}.log").read_text(errors="replace").strip().splitlines()
    said = [line for line in lines if "reference: error: " in line] or lines[-1:]
    line = said[-1].split("error: ", 1)[-1] if said else "no word of why"
    if code == InputError.exit_code:
        raise InputError(line)
    if code == TrainingFailed.exit_code:
        raise TrainingFailed(f"{child.name}: {line}")
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    raise TrainingFailed(f"{child.name} {how}: {line}; see {parent / child.name}.log")


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(timeout=5)
        child.process.kill()
        child.process.wait()
        child.close()


def default_jobs(recipe: Recipe) -> int:
    """How many loops run at once: on a GPU one; else all, or as many as the cores have threads for.

    With one thread each, all three: small steps leave a core idle often enough, also on two.
    """
    if recipe.device == "cuda" or (recipe.device == "auto" and _may_have_gpu()):
        return 1
    if recipe.num_threads == 1:
        return len(LOOPS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(len(LOOPS), (cores or 1) // recipe.num_threads))


def _may_have_gpu() -> bool:
    """Whether to expect a GPU, without the seconds that asking torch takes."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
