"""A run's folder: new, never another run's; its small files whole or not there.

python -m reference compare --run-dir mine
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from reference.errors import InputError

RUNS = Path("runs")


def default_run_dir(what: str) -> Path:
    """A name under `runs/` that isn't taken: date, time, and what was run."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{what}"
    names = [stem, *(f"{stem}-{i}" for i in range(2, 1000))]
    return RUNS / next(n for n in names if not (RUNS / n).exists())


def make_run_dir(path: Path) -> None:
    """Make the folder; InputError if it holds something, or can't be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            if not path.is_dir() or any(path.iterdir()):
                raise InputError(
                    f"{path}: holds another run; give a new folder with --run-dir"
                ) from None
    except OSError as error:
        raise InputError(
            f"{path}: can't be made ({error.strerror}); give another --run-dir"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Write all of it or nothing: a temporary file beside it takes its name when it is whole."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(value, indent=2) + "\n")
    os.replace(temporary, path)
