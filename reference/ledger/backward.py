"""Backward passes: which forward passes they reach, and the gradients that they leave.

A backward pass is one run of autograd that accumulates into a parameter; reentrant checkpointing
runs others inside it. Measured by `python -m pytest benchmarks -k observing`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from reference.ledger.guard import Careful, guarded
from reference.ledger.hashing import hash_and_norm, hashes_and_norms
from reference.ledger.parallel import Handed
from reference.ledger.parameters import Parameters
from reference.ledger.window import Forward, Window

Found = tuple[str, float]
LARGE = 1 << 15  # elements of a gradient that is worth being read by the other core
HANDED = 1 << 20  # elements that are worth being handed over


class Backward:
    """Fills the open window from the hooks on gradients, and from those on models' outputs."""

    def __init__(self, careful: Careful, window: Callable[[], Window]) -> None:
        self.careful = careful
        self.parameters = Parameters(self.on_gradient)
        self._window = window
        self._running = False
        self._waiting: list[tuple[int, Tensor]] = []  # gradients of this run of autograd
        self._handed: list[Handed[dict[int, Found]]] = []  # to the other core
        self._run: int | None = None  # of autograd: the last that reached a model's output
        self._reached: list[Forward] = []  # in that run
        self._counted: tuple[Window, int] | None = None  # the run that was counted last

    def begin(self) -> None:
        """A forward pass begins: whatever ran before is over, also if it raised."""
        self._running, self._run, self._reached = False, None, []

    @guarded
    def reach(self, forward: Forward) -> None:
        """Autograd comes to one of this forward pass's outputs."""
        run = torch._C._current_graph_task_id()
        if run != self._run:
            self._run, self._reached = run, []
        if torch.is_grad_enabled():
            self._window().use(forward)  # with `create_graph`: for a gradient's own gradient
            return
        forward.reached = True
        self._reached.append(forward)

    @guarded
    def on_gradient(self, place: int, parameter: Tensor) -> None:
        """A gradient was accumulated."""
        if not self._running:
            self._running = True
            self._waiting, self._handed = [], []
            # Once, when this run of autograd has accumulated into every parameter.
            torch.autograd.Variable._execution_engine.queue_callback(self._after)
        gradient = parameter.grad
        if gradient is None or gradient.numel() < LARGE or gradient.device.type != "cpu":
            return  # read when all are there
        if _is_ours_alone(parameter):
            self._waiting.append((place, gradient))
            if sum(g.numel() for _, g in self._waiting) >= HANDED:
                self._handed.append(Handed(_hash_each, self._waiting))  # while autograd goes on
                self._waiting = []

    @guarded
    def _after(self) -> None:
        self._running = False
        window, tensors = self._window(), self.parameters.tensors()
        found: dict[int, Found] = {}
        for handed in self._handed:
            found.update(handed.result() or {})
        self._waiting, self._handed = [], []
        # What this run didn't reach may hold a gradient of an earlier one.
        left = [None if i in found or t is None else t.grad for i, t in enumerate(tensors)]
        whole = [found.get(i, other) for i, other in enumerate(hashes_and_norms(left))]
        for forward in self._reached:
            window.use(forward)
        run = torch._C._current_graph_task_id() if self._run is None else self._run
        again = self._counted == (window, run)
        self._counted = (window, run)
        window.set_gradient([h for h, _ in whole], [n for _, n in whole], again=again)


def _hash_each(gradients: Sequence[tuple[int, Tensor]]) -> dict[int, Found]:
    return {place: hash_and_norm(gradient) for place, gradient in gradients}


def _is_ours_alone(parameter: Tensor) -> bool:
    """Whether nobody else is told of this gradient, who might change it before we have read it."""
    hooks: dict[int, Any] | None = parameter._post_accumulate_grad_hooks
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return hooks is not None and len(hooks) == 1 and not distributed
