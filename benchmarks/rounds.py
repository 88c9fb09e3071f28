"""Around a measurement in rounds: the cores that it needs, and its progress.

Used by `python -m benchmarks.gate` and `python -m benchmarks.pair`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measured import AfterRound
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
