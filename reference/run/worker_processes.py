"""Runs in processes of their own, so that none leaves anything behind for the next.

    python -m reference compare

The parent watches their ledgers grow. However it ends, by Ctrl-C, a signal or a kill, they end too.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reference.ledger.losses import step_loss
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.process.cores import usable_cores
from reference.process.fork_server import ForkServer
from reference.process.whole_files import write_json
from reference.process.workers import NewProcesses, Starter, Worker, failure, take_turns
from reference.terminal import Progress

# Of `python -m reference train`, whatever the loop: what is imported before the loops are forked.
PRELOAD = (
    "reference.cli.main",
    "reference.compare.three_loops",
    "reference.run.one_run",
    *(f"reference.lesson.loops.{loop}" for loop in LOOPS),
)


@dataclass(frozen=True)
class Job:
    """One loop by one recipe, into the new folder `parent / name`."""

    name: str
    loop: str
    recipe: Recipe
    saves: bool = False  # the trained model


@dataclass
class GrowingLedger:
    """How far a run has come, by the ledger that it writes."""

    path: Path
    steps: int = 0
    total: int | None = None  # unknown until there is a header
    loss: float | None = None  # of the last step
    _file: IO[bytes] | None = field(default=None, repr=False)
    _rest: bytes = b""

    def look(self) -> None:
        """Count the steps that were written since the last look, and read the last one's loss."""
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = open(self.path, "rb")  # noqa: SIM115  # `close` closes it
            if self._file is None:
                return
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        last = b""
        for line in lines:
            if line.startswith(b'{"kind":"step"'):
                self.steps += 1
                last = line
            elif line.startswith(b'{"kind":"header"'):
                self.total = json.loads(line)["num_training_steps"]

        if last:
            self.loss = step_loss(json.loads(last))

    def close(self) -> None:
        """Close the file, where there was one."""
        if self._file is not None:
            self._file.close()


def starter(recipe: Recipe, preload: Sequence[str] = PRELOAD) -> Starter:
    """What starts runs of a recipe: each forked from one process that has imported `preload`.

    A new process for each, which costs 5 s of CPU, wherever a fork isn't safe: on a GPU, on macOS
    and Windows, and with several threads, which NumPy's OpenBLAS starts when it is imported.
    """
    environment = {
        "OMP_NUM_THREADS": str(recipe.num_threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if sys.platform != "linux" or recipe.num_threads > 1 or expects_gpu(recipe):
        return NewProcesses(environment)
    return ForkServer(preload, environment)


def run_all(
    jobs: Sequence[Job], parent: Path, at_once: int, processes: Starter, *, debug: bool = False
) -> None:
    """Run all jobs into `parent`, `at_once` at the same time, with a bar for each.

    Args:
        jobs: the runs; each leaves `NAME.json`, its recipe, and `NAME.log` beside its folder.
        parent: the folder that holds them all, which is there.
        at_once: how many run at the same time.
        processes: what starts them (`starter`).
        debug: whether a run that fails leaves a traceback in its log.

    Raises:
        InputError, TrainingFailed, WorkerDied: the line of the first that failed, or how it died.
    """
    ledgers = {job: GrowingLedger(parent / job.name / LEDGER_FILE) for job in jobs}
    progress = Progress([job.name for job in jobs])

    def start(job: Job) -> Worker:
        recipe = parent / f"{job.name}.json"
        write_json(recipe, job.recipe.to_json())
        arguments = ["-m", "reference", "train", job.loop, "--recipe", str(recipe)]
        arguments += ["--run-dir", str(parent / job.name)]
        arguments += ["--stop-at-end-of-input", *["--debug"] * debug]
        arguments += ["--save" if job.saves else "--no-save"]
        return processes.start(arguments, parent / f"{job.name}.log")

    def look(job: Job, code: int | None) -> None:
        ledger = ledgers[job]
        ledger.look()
        progress.update(job.name, ledger.steps, ledger.total, ledger.loss)
        if code:
            raise failure(job.name, code, parent / f"{job.name}.log")

    try:
        take_turns(jobs, at_once, start, look)
    finally:
        for ledger in ledgers.values():
            ledger.close()
        with suppress(OSError):  # a closed terminal shows no bars
            progress.close()


def default_jobs(recipe: Recipe) -> int:
    """How many loops run at the same time where nobody says so.

    One on a GPU. On a CPU all three with one thread each, as small steps often leave a core idle,
    and with more threads as many as there are cores for.
    """
    if expects_gpu(recipe):
        return 1
    if recipe.num_threads == 1:
        return len(LOOPS)
    return max(1, min(len(LOOPS), usable_cores() // recipe.num_threads))


def expects_gpu(recipe: Recipe) -> bool:
    """Whether the recipe runs on a GPU, as far as can be told without importing torch."""
    return recipe.device == "cuda" or (recipe.device == "auto" and _may_have_gpu())


def _may_have_gpu() -> bool:
    """Whether to expect a GPU, without the seconds that asking torch takes."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
