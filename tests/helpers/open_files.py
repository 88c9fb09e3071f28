"""Which process has a file open."""

import os
from pathlib import Path


def holder_of(file: Path) -> int:
    """The number of the first process that has the file open."""
    return next(
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _holds(folder, file)
    )


def _holds(process: Path, file: Path) -> bool:
    try:
        return any(os.readlink(each) == str(file) for each in (process / "fd").iterdir())
    except OSError:
        return False
