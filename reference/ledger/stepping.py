"""Which call of an optimizer's `step` is a step: it may call another's, and it may raise.

Used by the observer that `python -m reference train manual` runs under.
"""

import sys
import weakref
from types import FrameType

from torch.optim import Optimizer, optimizer

from reference.ledger.calls import is_running

TORCHS = optimizer.__file__


class Stepping:
    """The running step, known by the frame of torch's wrapper, from which both hooks are called."""

    def __init__(self) -> None:
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._frame: FrameType | None = None

    def begin(self) -> bool | None:
        """True for a step; None for one within another's; False for one after a step that raised.

        To be called from the hook itself.
        """
        frame = _caller()
        if is_running(self._frame):
            return None
        raised, self._frame = self._frame is not None, frame
        return not raised

    def end(self) -> bool:
        """Whether the step that began is over: this may be the end of one within it."""
        if self._frame is None or _caller() is not self._frame:
            return False
        self._frame = None
        return True

    def index(self, optimizer: Optimizer) -> int:
        """The optimizer's number, in the order of their first steps."""
        known = next((i for i, r in enumerate(self._optimizers) if r() is optimizer), None)
        if known is None:
            self._optimizers.append(weakref.ref(optimizer))
        return len(self._optimizers) - 1 if known is None else known


def _caller() -> FrameType | None:
    """Torch's frame, in which the optimizer's hooks are called."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != TORCHS:
        frame = frame.f_back
    return frame
