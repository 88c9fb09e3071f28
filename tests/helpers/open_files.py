"""Which process writes a file."""

import os
from pathlib import Path


def writer_of(file: Path) -> int:
    """The number of a process that has the file open to write it; others may read it."""
    return next(
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _writes(folder, file)
    )


def _writes(process: Path, file: Path) -> bool:
    try:
        return any(
            os.readlink(each) == str(file) and _flags(process, each.name) & os.O_ACCMODE
            for each in (process / "fd").iterdir()
        )
    except OSError:
        return False


def _flags(process: Path, number: str) -> int:
    """Those that the file was opened with."""
    lines = (process / "fdinfo" / number).read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("flags:")), 8)
