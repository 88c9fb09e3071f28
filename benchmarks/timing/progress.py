"""Around a measurement: the cores that it needs, and how far it is."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reference.errors import InputError
from reference.process.cores import usable_cores
from reference.terminal import Progress

AfterRound = Callable[[int, int], None]  # called with the rounds done and the rounds planned
CORES = 2  # one for the steps, one for whatever else runs


def check_cores() -> None:
    """The gate's figures were measured with two cores.

    Raises:
        InputError: there are fewer here.
    """
    cores = usable_cores()
    if cores < CORES:
        raise InputError(f"{cores} core: this needs {CORES}; run it on a machine that has them")


@contextmanager
def show_rounds() -> Iterator[AfterRound]:
    """A bar of rounds with the time left, or a line now and then where there is no terminal."""
    shown = Progress(["rounds"], sys.__stderr__, unit="round")
    try:
        yield lambda done, total: shown.update("rounds", done, total)
    finally:
        shown.close()


class ProcessCounter:
    """Lines on stderr: which process of how many begins, and about how long the others take."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._started = total, 0, time.monotonic()

    def next(self, what: str) -> None:
        """Say that the next process begins; `what` says what it does."""
        left = ""
        if self._done:
            mean = (time.monotonic() - self._started) / self._done
            left = f", about {mean * (self._total - self._done):.0f} s left"
        self._done += 1
        print(f"{self._done}/{self._total} {what}{left}", file=sys.stderr, flush=True)

    def more(self, count: int) -> None:
        """Add so many processes to those that were planned."""
        self._total += count
