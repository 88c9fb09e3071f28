"""A measurement's file: whole or not there; and whether it can be written, before measuring."""

import os
from pathlib import Path

from reference.errors import InputError
from reference.process.whole_files import as_bytes, write_whole


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
    """`write_whole`, where the file is one, and to where a link points.

    Raises InputError for a disk that is full by now, and the like.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(as_bytes(content))  # a pipe or /dev/stdout: nothing to replace
        else:
            write_whole(path.resolve(), content)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); give another") from error
