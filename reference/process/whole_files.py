"""Files that are whole or not there: a full disk or a killed process leaves no half of one."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; see `write_whole`."""
    write_whole(path, json.dumps(value, indent=2) + "\n")


def write_whole(path: Path, content: str | bytes) -> None:
    """The whole file, or the one that was there before.

    It is written beside it as `.NAME.PID`, which a killed process leaves behind, and takes its
    name when it is whole.
    """
    _write(path, content, os.replace)


def write_new(path: Path, content: str | bytes) -> None:
    """The whole file, where none was; FileExistsError where somebody has taken the name."""
    _write(path, content, _link)


def as_bytes(content: str | bytes) -> bytes:
    """Text as UTF-8; bytes as they are."""
    return content.encode("utf8") if isinstance(content, str) else content


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, and then replaced
        path.touch(exist_ok=False)
        os.replace(part, path)


def _write(path: Path, content: str | bytes, finish: Callable[[Path, Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "wb") as file:
            file.write(as_bytes(content))
            file.flush()
            os.fsync(file.fileno())
        finish(part, path)
    finally:
        part.unlink(missing_ok=True)
