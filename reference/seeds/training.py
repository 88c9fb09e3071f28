"""Trains a recipe with many seeds: those that aren't there yet, several at once.

    python -m reference seeds --n 30

Each seed is a run in a process of its own, as `train` makes it. However this one ends, they end
too, and the same command goes on with the seeds that are left.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.messages import nearest, say
from reference.process.cores import usable_cores
from reference.process.run_folder import clear_run_dir
from reference.process.whole_files import write_json
from reference.process.workers import Worker, failure, take_turns
from reference.run.inputs import check_processes
from reference.run.worker_processes import GrowingLedger, expects_gpu, starter
from reference.seeds.folder import (
    UNFINISHED,
    check_header,
    default_folder,
    finished,
    plan_of,
    read_seeds,
    shared_header,
    taken,
)
from reference.seeds.seed_scores import SeedScores
from reference.terminal import Progress

N = 10
LOOP = "manual"  # the three are one run; this one is the quickest to start


def seeds(
    recipe: Recipe,
    n: int = N,
    run_dir: Path | str | None = None,
    *,
    loop: str = LOOP,
    jobs: int | None = None,
    debug: bool = False,
) -> SeedScores:
    """Train a recipe with its own seed and the `n - 1` that follow it; those there are left alone.

    Args:
        recipe: What is trained.
        n: How many seeds; 2 or more, as one has no spread.
        run_dir: New, empty, or with seeds by the same recipe. By default a folder under `runs/`
            that is the same for the same recipe and loop.
        loop: `trainer`, `manual` or `accelerated`.
        jobs: How many train at the same time; by default one for each core, or one on a GPU.
        debug: Whether a seed that fails leaves a traceback in its log.

    Returns:
        The scores of these n seeds. A notebook shows their statistics.

    Raises:
        InputError: The folder is somebody else's, or by another recipe: names the field.
        TrainingFailed, WorkerDied: The line of the first seed that failed; the others stay.
    """
    if n < 2:
        raise InputError(f"n: {n} makes no sense; give 2 and up, as one seed has no spread")
    if loop not in LOOPS:
        raise nearest("loop", loop, LOOPS)
    check_processes(recipe, loop, 1)
    wanted = [recipe.seed + i for i in range(n)]
    dataclasses.replace(recipe, seed=wanted[-1])  # which may be larger than a seed can be
    path = Path(run_dir) if run_dir is not None else default_folder(recipe, loop)
    with taken(path, plan_of(recipe, loop)) as new:
        there = finished(path)
        left = [seed for seed in wanted if seed not in there]
        if len(left) < n:
            say(f"{path}: {n - len(left)} of {n} seeds are there, {len(left)} are left")
        try:
            if left:
                _train(recipe, loop, path, left, jobs or default_jobs(recipe), debug)
        except InputError:
            if not finished(path):
                clear_run_dir(path, new=new)
            raise
        except BaseException:
            done = len({*wanted} & {*finished(path)})
            say(f"{path}: {done} of {n} seeds are there; the same command goes on from there")
            raise
        return read_seeds(path, wanted)


def default_jobs(recipe: Recipe) -> int:
    """How many seeds train at the same time: one on a GPU, else each has cores of its own."""
    return 1 if expects_gpu(recipe) else max(1, usable_cores() // recipe.num_threads)


def _train(
    recipe: Recipe, loop: str, path: Path, left: Sequence[int], at_once: int, debug: bool
) -> None:
    """Train the seeds that are left; each is moved into the folder when it is finished."""
    work = path / f"{UNFINISHED}{os.getpid()}"
    write_json(work / "recipe.json", recipe.to_json())
    ledgers = {seed: GrowingLedger(work / str(seed) / LEDGER_FILE) for seed in left}
    there = finished(path)
    shared = [shared_header(path / str(there[0]))] if there else []  # filled by the first to begin
    begun: set[int] = set()
    name = f"{len(left)} seeds"
    progress = Progress([name])

    def start(seed: int) -> Worker:
        arguments = ["-m", "reference", "train", loop, "--recipe", str(work / "recipe.json")]
        arguments += ["--seed", str(seed), "--run-dir", str(work / str(seed)), "--no-save"]
        arguments += ["--stop-at-end-of-input", *["--debug"] * debug]
        return processes.start(arguments, work / f"{seed}.log")

    def look(seed: int, code: int | None) -> None:
        ledger = ledgers[seed]
        ledger.look()
        if ledger.total is not None and seed not in begun:
            begun.add(seed)
            shared[:] = shared or [shared_header(work / str(seed))]
            check_header(work / str(seed), seed, shared[0])  # now, and not when it is trained
        if code:
            raise failure(f"seed {seed}", code, work / f"{seed}.log")
        if code == 0:
            ledger.close()
            os.rename(work / str(seed), path / str(seed))
        steps = next((each.total for each in ledgers.values() if each.total), None)
        done = sum(each.steps for each in ledgers.values())
        progress.update(name, done, steps * len(left) if steps else None)

    try:
        with starter(recipe) as processes:
            take_turns(left, at_once, start, look)
        shutil.rmtree(work)
    finally:
        for ledger in ledgers.values():
            ledger.close()
        with suppress(OSError):  # a closed terminal shows no bars
            progress.close()
