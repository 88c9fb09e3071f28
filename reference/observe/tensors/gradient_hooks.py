"""Hooks on the gradients of parameters, each once."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

# Called by torch when a parameter's gradient was accumulated.
OnGradient = Callable[[torch.Tensor], None]


class GradientHooks:
    """Those that are there, by their parameter's place.

    Attributes:
        on_gradient: What they call; None where there are to be none.
    """

    def __init__(self) -> None:
        self.on_gradient: OnGradient | None = None
        self._handles: dict[int, Any] = {}

    def put(self, parameters: Iterable[tuple[int | None, torch.Tensor]]) -> None:
        """Hooks on parameters that have a place and none yet; a frozen one may be thawed later."""
        if self.on_gradient is None:
            return
        for place, tensor in parameters:
            trains = tensor.requires_grad and tensor.is_leaf
            if trains and place is not None and place not in self._handles:
                register: Any = tensor.register_post_accumulate_grad_hook
                self._handles[place] = register(self.on_gradient)

    def forget(self, place: int) -> None:
        """The parameter of this place is gone."""
        self._handles.pop(place, None)

    def remove(self) -> None:
        """Have nothing called any more."""
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()
        self.on_gradient = None
