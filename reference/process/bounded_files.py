"""Small files that others have written: never more of one is read than such a file can hold.

    python -m reference train manual --recipe mine.json

A link to /dev/zero has no end, and a pipe that nobody writes to gives no answer.
"""

import os
import stat
from pathlib import Path

from reference.errors import InputError


def read_bounded(path: Path, most: int) -> bytes:
    """All bytes of a file, of which there are `most` or fewer.

    Raises:
        InputError: it is a pipe or a device, or larger; names it.
        OSError: it isn't there, or can't be read.
    """
    need_file(path, most)
    with open(path, "rb") as file:
        content = file.read(most + 1)  # it may have grown
    if len(content) > most:
        raise _too_large(path, most)
    return content


def need_file(path: Path, most: int) -> None:
    """Check that a file is one, and no larger than `most` bytes; it isn't opened.

    Raises:
        InputError: it is a pipe or a device, or larger; names it.
        OSError: it isn't there, or can't be looked at.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a pipe or a device; give a file")
    if found.st_size > most:
        raise _too_large(path, most)


def _too_large(path: Path, most: int) -> InputError:
    return InputError(f"{path}: larger than the {most:,} bytes of any such file; give another")
