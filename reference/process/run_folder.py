"""A run's folder: new, never another run's.

python -m reference compare --run-dir mine
"""

import os
import shutil
import time
from pathlib import Path

from reference.errors import InputError
from reference.process.bounded_files import check_name

RUNS = Path("runs")
MODEL_FOLDER = "model"  # in a run's folder: what was trained


def default_run_dir(what: str) -> Path:
    """A name under `runs/` that isn't taken: date, time, what was run, and the process.

    The process's number keeps two apart that are started in the same second.
    """
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{what}-{os.getpid()}"
    names = [stem, *(f"{stem}-{i}" for i in range(2, 1000))]
    return RUNS / next(n for n in names if not (RUNS / n).exists())


def check_run_dir(path: Path) -> None:
    """Raise InputError if a run's folder is a file, holds something, or can't be looked at."""
    check_name(path)
    try:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: is a file; give a new folder with --run-dir")
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"{path}: holds another run; give a new folder with --run-dir")
    except OSError as error:
        raise InputError(f"{path}: no run's folder ({error.strerror}); give another") from None


def make_run_dir(path: Path, first: str = "recipe.json") -> bool:
    """Make the folder, and in it the empty file `first`, by which it is taken.

    Returns:
        Whether the folder is new; False for one that was there, and empty.

    Raises:
        InputError: the folder holds something, or can't be made.
    """
    check_run_dir(path)
    new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Whoever makes this file first has the folder, if two ask for it at once.
        (path / first).touch(exist_ok=False)
    except FileExistsError:
        raise InputError(f"{path}: holds another run; give a new folder with --run-dir") from None
    except OSError as error:
        raise InputError(
            f"{path}: can't be made ({error.strerror}); give another --run-dir"
        ) from None
    return new


def clear_run_dir(path: Path, *, new: bool) -> None:
    """Take away what a run has left that never trained; a folder that was there before stays.

    Args:
        path: a run's folder, which `make_run_dir` gave to this run.
        new: what `make_run_dir` returned.
    """
    shutil.rmtree(path, ignore_errors=True)
    if not new:
        path.mkdir(exist_ok=True)
