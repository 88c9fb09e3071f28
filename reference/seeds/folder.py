"""The folder that a recipe's seeds stand in: one at a time trains into it, and by one recipe.

runs/seeds-mrpc-manual-5f2a9c01/
  seeds.json      by what: loop, recipe, versions, machine
  42/  43/        a run's folder for each seed that is finished, and only for these
  unfinished-PID/ where they are trained; a finished one is moved out of it in one piece
"""

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from reference.errors import InputError
from reference.ledger.reader import read_header
from reference.ledger.record import LEDGER_FILE, Record
from reference.lesson.recipe import Recipe
from reference.messages import brief
from reference.process.bounded_files import check_name, each_once, read_bounded
from reference.process.run_folder import RUNS
from reference.process.versions import commit, machine, processor, versions
from reference.process.whole_files import write_json
from reference.seeds.seed_scores import SEEDS_VERSION, SeedScores, differences, without_seed

PLAN, LOCK, METRICS = "seeds.json", "seeds.lock", "metrics.json"
UNFINISHED = "unfinished-"
LARGEST = 1 << 20  # bytes of a plan, or of a seed's metrics, of which they have a thousand
PROVENANCE = ("processor", "commit", "date")  # of a plan: told, and bound to nothing
ANEW = "give another --run-dir, or train as before"


def default_folder(recipe: Recipe, loop: str) -> Path:
    """The same folder for the same recipe and loop, so that the same command goes on in it."""
    asked = json.dumps({"loop": loop, "recipe": recipe.to_json()}, sort_keys=True)
    return RUNS / f"seeds-{recipe.task}-{loop}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def plan_of(recipe: Recipe, loop: str) -> Record:
    """By what the seeds of a folder are trained, as its `seeds.json` holds it."""
    return {
        "version": SEEDS_VERSION,
        "loop": loop,
        "recipe": recipe.to_json(),
        "versions": versions(),
        "platform": machine(),
        "processor": processor(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


@contextmanager
def taken(path: Path, plan: Record) -> Iterator[bool]:
    """A context in which a folder is this process's alone; it ends with the process, too.

    Args:
        path: new, empty, or with seeds by the same plan.
        plan: `plan_of` what is to be trained.

    Yields:
        Whether the folder was made for it.

    Raises:
        InputError: somebody else trains into it, it holds something else, or seeds by another plan:
            names the field.
    """
    check_name(path)
    try:
        new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if not (path / PLAN).exists() and {each.name for each in path.iterdir()} - {LOCK}:
            raise InputError(f"{path}: holds something else than seeds; give another --run-dir")
        file = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(
            f"{path}: no folder for seeds ({error.strerror}); give another --run-dir"
        ) from None
    try:
        _lock(file, path)
        if (path / PLAN).exists():
            check_plan(path, plan)
        else:
            write_json(path / PLAN, plan)
        for left in path.glob(f"{UNFINISHED}*"):  # of a command that was stopped
            shutil.rmtree(left, ignore_errors=True)
        yield new
    finally:
        os.close(file)  # and with it the lock


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise InputError(
                f"{path}: can't be locked ({error.strerror}); give a --run-dir on another disk"
            ) from None
        raise InputError(
            f"{path}: another command trains into it; wait for its end, or give another --run-dir"
        ) from None


def check_plan(path: Path, plan: Record) -> None:
    """Raise InputError where a folder's seeds are by another plan; names the first field."""
    there = read_plan(path)
    for field, has, asked in differences(there, plan):
        if field not in PROVENANCE:
            raise InputError(
                f"{path}: holds seeds with {field} {brief(has)}, and {brief(asked)} is asked for; "
                f"{ANEW}"
            )


def read_plan(path: Path) -> Record:
    """What `seeds.json` of a folder says; InputError where there is none, or another file."""
    try:
        return _read_json(path / PLAN, ("loop", "recipe", "versions", *PROVENANCE))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path}: no folder of seeds; `python -m reference seeds` makes one"
        ) from None


def finished(path: Path) -> list[int]:
    """The seeds that a folder holds, in order.

    Raises:
        InputError: a seed's folder has lost what it was scored: a finished one alone gets there.
    """
    names = [each.name for each in path.iterdir() if re.fullmatch("0|[1-9][0-9]{0,9}", each.name)]
    for name in names:
        if not (path / name / METRICS).exists():
            raise InputError(
                f"{path / name}: has no {METRICS}; take the folder away, and train again"
            )
    return sorted(map(int, names))


def read_seeds(path: Path, wanted: Collection[int] | None = None) -> SeedScores:
    """The finished seeds of a folder.

    Args:
        path: the folder.
        wanted: those that are read; all if there are none given.

    Raises:
        InputError: fewer than two are there, a file isn't as it was written, or two seeds aren't of
            one recipe, data, versions and machine: names seed and field.
    """
    plan = read_plan(path)
    seeds = [seed for seed in finished(path) if wanted is None or seed in wanted]
    if len(seeds) < 2:
        raise InputError(f"{path}: {len(seeds)} finished seeds, which have no spread; train more")
    shared = shared_header(path / str(seeds[0]))
    metrics = {}
    for seed in seeds:
        check_header(path / str(seed), seed, shared)
        metrics[seed] = _read_json(path / str(seed) / METRICS, ("scores", "final_loss", "weights"))
    check_scores(path, metrics)
    return SeedScores(str(path), shared, {name: plan[name] for name in PROVENANCE}, metrics)


def shared_header(run_dir: Path) -> Record:
    """The first line of a run's ledger, without its seed."""
    return without_seed(_first_line(run_dir))


def check_header(run_dir: Path, seed: int, shared: Record) -> None:
    """Raise InputError unless a run is of this seed, and in all else by `shared`."""
    header = _first_line(run_dir)
    unequal = differences(without_seed(header), shared)
    if header["recipe"].get("seed") != seed:
        unequal = [("recipe.seed", header["recipe"].get("seed"), seed)]
    if unequal:
        field, has, others = unequal[0]
        raise InputError(
            f"{run_dir}: field {field}: {brief(has)}, and {brief(others)} in the seeds beside it; "
            f"{ANEW}"
        )


def _first_line(run_dir: Path) -> Record:
    path = run_dir / LEDGER_FILE
    header = read_header(path)
    for part in ("recipe", "data", "checkpoint"):
        if not isinstance(header.get(part), dict):
            raise InputError(f"{path}: row 1: field {part}: missing; no ledger of a recipe's run")
    return header


def check_scores(path: Path, metrics: dict[int, Record]) -> None:
    """Raise InputError unless all seeds have the same scores, as numbers."""
    names: list[str] | None = None
    for seed, each in metrics.items():
        scores = each["scores"]
        if isinstance(scores, dict) and all(map(_is_number, scores.values())):
            names = names or list(scores)
            if names and list(scores) == names:
                continue
        raise InputError(
            f"{path / str(seed) / METRICS}: field scores: {brief(scores)} is not one number for "
            "each of the task's scores; look at that run, or take its folder away and train again"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _read_json(path: Path, fields: Collection[str]) -> Record:
    try:
        value = json.loads(read_bounded(path, LARGEST), object_pairs_hook=each_once)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}); take it away") from None
    record: Record = value if isinstance(value, dict) else {}
    for field in fields:
        if field not in record:
            raise InputError(f"{path}: field {field}: missing; not as it was written")
    return record
