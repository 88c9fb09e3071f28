"""Moments in a training by its device's clock, and how long a call takes there.

A GPU goes on working when its host has gone on. There a moment is a CUDA event. Nobody waits for it
before the training is over, so that the training takes as long as without.
"""

import time
from collections.abc import Callable
from itertools import pairwise

import torch


class Moments:
    """Moments that are marked as they come, and read when all are over."""

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"
        self._times: list[float] = []
        self._events: list[torch.cuda.Event] = []

    def __len__(self) -> int:
        return len(self._events if self._cuda else self._times)

    def mark(self) -> None:
        """A moment: when the device has done what was asked of it so far."""
        if self._cuda:
            self._events.append(event())
        else:
            self._times.append(time.perf_counter())

    def between(self) -> list[float]:
        """Seconds from each moment to the next one."""
        if not self._cuda:
            return [end - start for start, end in pairwise(self._times)]
        torch.cuda.synchronize()
        return [start.elapsed_time(end) / 1e3 for start, end in pairwise(self._events)]


def event() -> torch.cuda.Event:
    """A new event with a time, queued after what the device was asked to do so far."""
    queued: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    queued.record()
    return queued


def duration(call: Callable[[], object], device: str) -> float:
    """Seconds from a call's start to the end of what it asked of the device."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
