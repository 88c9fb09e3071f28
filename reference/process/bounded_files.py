"""Names and small files that others have written: what can be one, and how much of it is read.

    python -m reference train manual --recipe mine.json

A link to /dev/zero has no end, and a pipe that nobody writes to gives no answer.
"""

import errno
import os
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.messages import brief, plain

INNER = "x" * 64  # as long as any name that is looked for in a folder


def check_name(name: str | Path) -> None:
    """Raise InputError where no file or folder can have this name; be one there or not."""
    if not str(name):
        raise InputError("an empty name: no file or folder has it; give another")
    try:
        os.lstat(Path(name) / INNER)
    except ValueError:  # a NUL, or half of a character
        raise InputError(
            f"{brief(str(name))}: has a character that no file's name can have; give another"
        ) from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise InputError(f"{brief(str(name))}: {error.strerror}; give another") from None


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


def need_file(path: Path, most: int = sys.maxsize) -> None:
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


def each_once(pairs: list[tuple[str, Any]], remedy: str = "take one out") -> dict[str, Any]:
    """A mapping. JSON and YAML allow a field twice, and readers differ in which they take.

    Raises:
        InputError: a field is given twice; names it, and ends with the remedy.
    """
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InputError(f"field {plain(twice[:40])}: given twice; {remedy}")
    return values


def _too_large(path: Path, most: int) -> InputError:
    return InputError(f"{path}: larger than the {most:,} bytes of any such file; give another")
