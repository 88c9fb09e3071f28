"""Around a measurement in rounds: the cores that it needs, and its progress.

Used by `python -m benchmarks.gate` and `python -m benchmarks.pair`.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.timing.rounds import AfterRound
from reference.errors import InputError
from reference.terminal import Progress

CORES = 2  # one for the steps, one for whatever else runs


def check_cores() -> None:
    """InputError with fewer cores than the gate's figures were measured with."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (cores or 1) < CORES:
        raise InputError(f"{cores} core: this needs {CORES}; run it on a machine that has them")


@contextmanager
def rounds_shown() -> Iterator[AfterRound]:
    """A bar of rounds with the time left, or a line now and then; the loops' own are unheard."""
    shown = Progress(["rounds"], sys.__stderr__, unit="round")
    try:
        yield lambda done, total: shown.update("rounds", done, total)
    finally:
        shown.close()


class Counted:
    """Progress on stderr: which process of how many, and about how long the others take."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._started = total, 0, time.monotonic()

    def next(self, what: str) -> None:
        left = ""
        if self._done:
            mean = (time.monotonic() - self._started) / self._done
            left = f", about {mean * (self._total - self._done):.0f} s left"
        self._done += 1
        print(f"{self._done}/{self._total} {what}{left}", file=sys.stderr, flush=True)

    def more(self, count: int) -> None:
        """There is more to do than was thought."""
        self._total += count
