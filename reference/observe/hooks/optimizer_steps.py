"""Which call of an optimizer's `step` is a step: it may call another's, and it may raise.

Used by the observer that `python -m reference train manual` runs under.
"""

import sys
import weakref
from types import FrameType

from torch.optim import Optimizer, optimizer

from reference.observe.hooks.module_calls import outer

TORCHS = optimizer.__file__


class Stepping:
    """The running step, known by the frame of torch's wrapper, from which both hooks are called."""

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[weakref.ref[Optimizer], int]] = {}  # by an optimizer's id
        self._count = 0
        self._frame = 0  # its id

    def begin(self) -> bool | None:
        """True for a step; None for one within another's; False for one after a step that raised.

        To be called from the hook itself.
        """
        frame = _caller()
        if frame is not None and any(above.f_code is frame.f_code for above in outer(frame)):
            return None
        raised, self._frame = self._frame != 0, id(frame)
        return not raised

    def end(self) -> bool:
        """Whether the step that began is over: this may be the end of one within it."""
        if id(_caller()) != self._frame:
            return False
        self._frame = 0
        return True

    def index(self, optimizer: Optimizer) -> int:
        """The optimizer's number, in the order of their first steps."""
        known = self._numbers.get(id(optimizer))
        if known is None or known[0]() is not optimizer:
            known = self._numbers[id(optimizer)] = weakref.ref(optimizer), self._count
            self._count += 1
        return known[1]


def _caller() -> FrameType | None:
    """Torch's frame, in which the optimizer's hooks are called."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != TORCHS:
        frame = frame.f_back
    return frame
