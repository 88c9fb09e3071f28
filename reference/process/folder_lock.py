"""One run at a time in a folder: a lock that dies with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reference.errors import InputError

LOCK = ".lock"
LONGEST = 20  # digits of a process's number, and more


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock.

    Args:
        folder: A run's, which is there.

    Raises:
        InputError: Another process holds it; names that one's number.
    """
    opened = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(opened, LONGEST).decode(errors="replace").strip()
            raise InputError(
                f"{folder}: process {owner or 'unknown'} trains in it; wait for its end, or stop it"
            ) from None
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(opened)  # which lets go of the lock
