"""Which call of an optimizer's `step` is a step: it may call another's, and it may raise.

Used by the observer that `python -m reference train manual` runs under.
"""

import sys
import weakref
from types import FrameType
from typing import Any

from torch.optim import Optimizer, optimizer

from reference.ledger.calls import is_within

TORCHS = optimizer.__file__


class Stepping:
    """The running step, known by the frame of torch's wrapper, from which both hooks are called."""

    def __init__(self) -> None:
        self._optimizers: list[tuple[weakref.ref[Optimizer], list[weakref.ref[Any]]]] = []
        self._frame = 0  # its id

    def begin(self) -> bool | None:
        """True for a step; None for one within another's; False for one after a step that raised.

        To be called from the hook itself.
        """
        frame = _caller()
        if is_within(frame, self._frame):
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
        """The optimizer's number, in the order of their first steps.

        One that is made anew, for the same parameters, has the number of the one before.
        """
        known = next((i for i, (r, _) in enumerate(self._optimizers) if r() is optimizer), None)
        if known is not None:
            return known
        of = [weakref.ref(p) for group in optimizer.param_groups for p in group["params"]]
        entry = (weakref.ref(optimizer), of)
        for i, (_, earlier) in enumerate(self._optimizers):
            same = len(earlier) == len(of) and all(x is y for x, y in zip(earlier, of, strict=True))
            if same and of:
                self._optimizers[i] = entry
                return i
        self._optimizers.append(entry)
        return len(self._optimizers) - 1


def _caller() -> FrameType | None:
    """Torch's frame, in which the optimizer's hooks are called."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != TORCHS:
        frame = frame.f_back
    return frame
