"""Calls that clip gradients by their norm: the bound, and the norm that the call found.

What a clip did shows in the ledger's link `clip` without this. That it was called and did nothing,
or with which bound, no hook of torch's tells.
"""

from collections.abc import Callable
from typing import Any

from torch.nn.utils import clip_grad

from reference.observe.hooks.fail_safe import guarded
from reference.observe.patched_functions import patched
from reference.observe.recording import Recording

SCALES = "_clip_grads_with_norm_"  # what `clip_grad_norm_` calls, by whatever name it is imported


class ClipCalls:
    """Stands before torch's function that scales gradients to a bound; it fills the open step."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._patch: Any = None

    def begin(self) -> None:
        """Watch the calls, also of those who imported `clip_grad_norm_` before."""
        self._patch = patched(clip_grad, SCALES, self._watch)
        self._patch.__enter__()

    def end(self) -> None:
        """Watch no longer."""
        if self._patch is not None:
            self._patch.__exit__(None, None, None)
            self._patch = None

    def _watch(self, clip: Callable[..., Any]) -> Callable[..., Any]:
        def watched(
            parameters: Any, max_norm: Any, total_norm: Any, *rest: Any, **more: Any
        ) -> Any:
            self._note(parameters, max_norm, total_norm)
            return clip(parameters, max_norm, total_norm, *rest, **more)

        return watched

    @guarded
    def _note(self, parameters: Any, bound: Any, total: Any) -> None:
        step = self.recording.open_step
        if self._patch is not None:
            step.chores.add_clip(parameters, bound, total, step.backward_passes)
