"""Which call of a module is the outermost one: the calls that it makes are parts of it."""

import threading
from types import FrameType

import torch

from reference.observe.step.forward_pass import ForwardPass


class OutermostCall(threading.local):
    """The outermost call of a module that is running in this thread, and its pass."""

    module: torch.nn.Module | None = None
    forward: ForwardPass | None = None
    frame_id = 0  # of torch's own: after Ctrl-C no hook tells that the call is over
    depth = 0  # of the calls that it makes of itself (a tree of one cell)
    skips_parts = False  # the calls of its parts, of which there are many, need no look

    def begin(self, module: torch.nn.Module, frame: FrameType | None) -> None:
        """A call of this module is the outermost one from now on.

        Args:
            module: whose call begins.
            frame: torch's own, of this call.
        """
        self.end()
        self.module, self.frame_id = module, id(frame)

    def end(self) -> None:
        """None is running."""
        if self.forward is not None and self.forward.inside is not None:
            self.forward.inside.end()
        self.module = self.forward = None
        self.frame_id = self.depth = 0
        self.skips_parts = False
