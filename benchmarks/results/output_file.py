"""A measurement's file: whole or not there; and whether it can be written, before measuring."""

import os
from collections.abc import Callable
from pathlib import Path

from reference.errors import InputError


def check_output(path: Path | None) -> None:
    """Whether a file can be written there: asked before minutes of measuring, not after.

    Raises:
        InputError: it can't.
    """
    if path is None:
        return
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; give a file")
        if path.exists() and not path.is_file():
            return  # a pipe, or a terminal
    except OSError as error:
        raise InputError(f"{path}: no file's name ({error.strerror}); give another") from error
    folder = path.resolve().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{path}: {folder} isn't a folder; give another file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: can't be written in {folder}; give another file")


def write_output(path: Path, content: str | bytes) -> None:
    """`write_atomically`, where the file is one, and to where a link points.

    Raises InputError for a disk that is full by now, and the like.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(_bytes(content))  # a pipe or /dev/stdout: nothing to replace
        else:
            write_atomically(path.resolve(), content)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); give another") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """The whole file, or the one that was there before: a killed run leaves no half.

    Beside it a killed one leaves `.NAME.PID`, which nobody takes for a stored run.
    """
    _write(path, content, os.replace)


def write_new(path: Path, content: str | bytes) -> None:
    """The whole file, where none was: FileExistsError where another run has taken the name."""
    _write(path, content, _link)


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, and then replaced
        path.touch(exist_ok=False)
        os.replace(part, path)


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf8") if isinstance(content, str) else content


def _write(path: Path, content: str | bytes, finish: Callable[[Path, Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "wb") as file:
            file.write(_bytes(content))
            file.flush()
            os.fsync(file.fileno())
        finish(part, path)
    finally:
        part.unlink(missing_ok=True)
