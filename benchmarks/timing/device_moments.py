"""Moments in a training by its device's clock, and how long a call takes there.

    python -m pytest benchmarks -k epoch

A GPU works on after its host has gone on. There a moment is a CUDA event, which nobody waits for
until all are over: so the training is as long as without them.
"""

import time
from collections.abc import Callable
from itertools import pairwise

import torch


class Moments:
    """Marked one after the other; told when all are over."""

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"
        self._times: list[float] = []
        self._events: list[torch.cuda.Event] = []

    def __len__(self) -> int:
        return len(self._events if self._cuda else self._times)

    def mark(self) -> None:
        """Now: after all that was asked of the device so far."""
        if self._cuda:
            self._events.append(event())
        else:
            self._times.append(time.perf_counter())

    def between(self) -> list[float]:
        """Seconds from each moment to the next one."""
        if not self._cuda:
            return [other - one for one, other in pairwise(self._times)]
        torch.cuda.synchronize()
        return [one.elapsed_time(other) / 1e3 for one, other in pairwise(self._events)]


def event() -> torch.cuda.Event:
    """Recorded here, in what the device has to do."""
    made: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    made.record()
    return made


def duration(call: Callable[[], object], device: str) -> float:
    """Seconds that a call takes, to the end of what it asks of the device."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
