"""How the checkpoints of a run are kept: set around a loop, whose own text says only where."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from reference.process.signals import SIGNALS, Stopped

Record = dict[str, Any]


@dataclass
class Keeping:
    """What the loop that trains within `kept` does at the places where it may save.

    Attributes:
        folder: Of the run's checkpoints.
        run: What identifies the run, for the manifest.
        every: After how many steps one is saved each time; None for none but when stopped.
        keep: How many stay; None for all.
        resume: The checkpoint to go on from, which was seen to be whole.
        beside: Called before each save, so that the ledger is whole up to there; what it returns
            stands in the manifest.
        stopped: What ends the run after this step, once it is saved.
    """

    folder: Path
    run: Record
    every: int | None = None
    keep: int | None = None
    resume: Path | None = None
    beside: Callable[[], Record] = dict
    stopped: BaseException | None = field(default=None, init=False)
    over: bool = field(default=False, init=False)  # the last step was taken: nothing to wait for

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is to be saved after this step."""
        every = self.every is not None and step % self.every == 0
        return every or self.stopped is not None


_current: list[Keeping] = []


def current() -> Keeping | None:
    """How the loop that trains now is to keep checkpoints; None where nobody asked for any."""
    return _current[-1] if _current else None


@contextmanager
def kept(keeping: Keeping | None) -> Iterator[None]:
    """Within it a loop keeps checkpoints, and a signal that stops it waits for the step's end.

    A second signal ends it at once, as each does where no checkpoints are kept.
    """
    if keeping is None:
        yield
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        waits = keeping.stopped is None and not keeping.over
        stop = KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)
        keeping.stopped = stop
        if not waits:
            raise stop

    heard = [number for number in (*SIGNALS, signal.SIGINT) if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, on_signal) for number in heard}
    _current.append(keeping)
    try:
        yield
    finally:
        _current.remove(keeping)
        for number, handler in before.items():
            signal.signal(number, handler)
