"""The clock that times each step of a participant, without what the thread waited for a core."""

import os
import time
from dataclasses import dataclass

import torch

from benchmarks.timing.device_moments import event

SCHEDSTAT = "/proc/thread-self/schedstat"


@dataclass(frozen=True)
class Step:
    """One step's time in seconds, by three clocks.

    `busy` is the one that is compared. Another program that takes the core doesn't lengthen it, and
    work, sleeping and waiting in the step do.
    """

    wall: float
    cpu: float  # of this thread
    busy: float  # the wall's without waits for a core; on a GPU, between two of its events


class Clock:
    """The time of the thread that makes it. Close it: it holds a file open.

    Linux counts what a thread waited for a core; elsewhere `busy` is `cpu`. A GPU goes on working
    when its host has gone on: on a CUDA device a time begins when the device is idle and ends when
    it is idle again, and `busy` is the device's own.
    """

    counts_waits = os.path.exists(SCHEDSTAT)

    def __init__(self, device: str = "cpu") -> None:
        self._cuda = device == "cuda"
        self._file = os.open(SCHEDSTAT, os.O_RDONLY) if self.counts_waits else -1
        self.restart()

    def _now(self) -> tuple[int, int, int]:
        """All three at one moment: read again if the thread had to wait between them."""
        before = -1
        while before != (waited := self._waited()):
            before, wall, cpu = waited, time.perf_counter_ns(), time.thread_time_ns()
        return wall, cpu, waited

    def _waited(self) -> int:
        return int(os.pread(self._file, 64, 0).split()[1]) if self._file >= 0 else 0

    def restart(self) -> None:
        """A step begins now."""
        self._begun = None
        if self._on_device():
            torch.cuda.synchronize()
            self._begun = event()
        self._started = self._now()

    def read(self) -> Step:
        """The time since the last `restart`."""
        device = None
        if self._on_device():
            ended = event()
            torch.cuda.synchronize()
            # A first step, in which the device came into use, has no event at its start.
            device = self._begun.elapsed_time(ended) / 1e3 if self._begun is not None else None
        wall, cpu, waited = (y - x for x, y in zip(self._started, self._now(), strict=True))
        busy = wall - waited if self.counts_waits else cpu
        return Step(wall / 1e9, cpu / 1e9, busy / 1e9 if device is None else device)

    def _on_device(self) -> bool:
        """Whether this clock is a device's, and the device is in use by now."""
        return self._cuda and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Give back the file that counts the waits."""
        if self._file >= 0:
            os.close(self._file)
