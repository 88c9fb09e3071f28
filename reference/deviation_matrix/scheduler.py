"""The matrix's tasks in processes of their own, a few at once; what is done isn't done again.

Used by `python -m reference deviations --matrix`.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reference.deviation_matrix.one_run import is_done
from reference.deviations import CATALOGUE
from reference.lesson.recipe import Recipe
from reference.process.workers import Starter, Worker, failure, take_turns
from reference.run.worker_processes import PRELOAD, starter

RUN_A_TASK = "reference.deviation_matrix.one_run"
# What it imports; not itself, as Python warns of a module that is imported and then run.
IMPORTS = (*PRELOAD, "reference.deviations", "reference.explain.search")


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


def run_tasks(rounds: Sequence[Sequence[Task]], jobs: int, recipe: Recipe) -> None:
    """Each round when the one before is over; what is done already is left alone.

    Args:
        rounds: the tasks of each round, which are independent of each other.
        jobs: how many run at the same time.
        recipe: which decides how their processes are started (`worker_processes.starter`).

    Raises:
        TrainingFailed, WorkerDied: the line of the first that failed.
    """
    left = [[t for t in tasks if not is_done(t.folder, t.what)] for tasks in rounds]
    total, number = sum(map(len, rounds)), sum(map(len, rounds)) - sum(map(len, left))
    cost, done, began = sum(t.cost for tasks in left for t in tasks), 0, time.monotonic()
    with starter(recipe, IMPORTS) as processes:

        def look(task: Task, code: int | None) -> None:
            nonlocal number, done
            if code is None:
                return
            if code != 0 or not is_done(task.folder, task.what):
                raise failure(f"{task.what}, {task.setting}", code, _log(task))
            number, done = number + 1, done + task.cost
            seconds = (time.monotonic() - began) * (cost - done) / done
            _say(f"{number} of {total}: {task.what}, {task.setting}", seconds)

        for tasks in left:
            take_turns(tasks, jobs, lambda task: _start(task, processes), look)


def _say(done: str, seconds: float) -> None:
    left = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    print(f"{done}; about {left} left", file=sys.stderr, flush=True)


def _start(task: Task, processes: Starter) -> Worker:
    return processes.start(["-m", RUN_A_TASK, str(task.folder), task.what], _log(task))


def _log(task: Task) -> Path:
    return task.folder / f"{task.what}.log"
