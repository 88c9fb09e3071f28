"""A limit on how long something in the main thread may take."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def alarm(seconds: float, end: Callable[[], NoReturn]) -> Iterator[None]:
    """Call `end` in what runs within the `with`, if that takes longer.

    Args:
        seconds: How long it may take.
        end: Raises.
    """

    def at_once(_signal: int, _frame: FrameType | None) -> NoReturn:
        end()

    before = signal.signal(signal.SIGALRM, at_once)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
