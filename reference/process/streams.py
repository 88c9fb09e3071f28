"""The standard streams by their numbers, where libraries in other languages write.

Used around what a damaged file makes them say.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

STDERR = 2


@contextlib.contextmanager
def nothing_on_stderr() -> Iterator[None]:
    """What is written to stderr's number goes nowhere; a process without one is left as it is."""
    try:
        before = os.dup(STDERR)
    except OSError:  # closed
        yield
        return
    try:
        sys.stderr.flush()
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(before, STDERR)
        os.close(before)
