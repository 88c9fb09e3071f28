"""Backward passes: which forward passes they reach, and the gradients that they leave.

A backward pass is one run of autograd that accumulates into a parameter; reentrant checkpointing
runs others inside it. Measured by `python -m pytest benchmarks -k observing`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from reference.observe.hooks.fail_safe import Careful, guarded
from reference.observe.step.open_step import Forward, Window
from reference.observe.tensors.parameters import Parameters


class Backward:
    """Fills the open window from the hooks on gradients, and from those on models' outputs."""

    def __init__(self, careful: Careful, window: Callable[[], Window]) -> None:
        self.careful = careful
        self.parameters = Parameters(self.on_gradient)
        self._window = window
        self._task: int | None = None  # autograd's run that accumulates, perhaps within another
        self._run: int | None = None  # the last run that reached a model's output
        self._run_is_over = False
        self._reached: list[Forward] = []  # in that run
        self._counted: tuple[Window, int | None] | None = None  # the run that was counted last

    def begin(self) -> None:
        """A forward pass begins: whatever ran before is over, also if it raised."""
        self._task, self._run, self._reached = None, None, []

    @guarded
    def reach(self, forward: Forward) -> None:
        """Autograd comes to one of this forward pass's outputs."""
        run = torch._C._current_graph_task_id()
        if run != self._run:
            self._run, self._reached, self._run_is_over = run, [], False
            torch.autograd.Variable._execution_engine.queue_callback(self._over)
        if torch.is_grad_enabled():
            self._window().use(forward)  # with `create_graph`: for a gradient's own gradient
            return
        forward.reached = True
        self._reached.append(forward)

    @guarded
    def on_gradient(self, _place: int, _parameter: Tensor) -> None:
        """A gradient was accumulated. It is read when this run has accumulated all of them.

        Not before, and not by another core meanwhile: a hook of the script's may still change it.
        """
        task = torch._C._current_graph_task_id()
        if task == self._task:
            return
        self._task = task
        if self._run_is_over:
            self._run, self._reached, self._run_is_over = None, [], False
        torch.autograd.Variable._execution_engine.queue_callback(self._last)

    @guarded
    def _last(self) -> None:
        """After the callbacks that others queued: with these, DDP waits for the other processes."""
        torch.autograd.Variable._execution_engine.queue_callback(self._after)

    @guarded
    def _over(self) -> None:
        self._run_is_over = True

    @guarded
    def _after(self) -> None:
        window = self._window()
        hashes, norms = self.parameters.gradients()
        for forward in self._reached:
            window.use(forward)
        run = self._task if self._run is None else self._run
        again = self._counted == (window, run)
        self._counted = (window, run)
        window.set_gradient(hashes, norms, again=again)
