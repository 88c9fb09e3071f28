"""Backward passes: which forward passes they reach, and the gradients that they leave.

A backward pass is one run of autograd that accumulates into a parameter; reentrant checkpointing
runs others inside it.
"""

from torch import Tensor, is_grad_enabled

from reference.observe.hooks.fail_safe import guarded
from reference.observe.recording import Recording
from reference.observe.step.forward_pass import ForwardPass
from reference.observe.step.left_gradients import Accumulated
from reference.observe.step.open_step import OpenStep
from reference.observe.torch_internals import backward_run, call_after_backward


class BackwardPasses:
    """Hooks on parameters' gradients, and on models' outputs; they fill the open step."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._task: int | None = None  # autograd's run that accumulates, perhaps within another
        self._run: int | None = None  # the last run that reached a model's output
        self._run_is_over = False
        self._reached: list[ForwardPass] = []  # in that run
        self._counted: tuple[OpenStep, int | None] | None = None  # the run that was counted last
        self._accumulated = Accumulated()
        recording.fail_safe.when_lost.append(self._let_go)

    def begin(self) -> None:
        """A forward pass begins: whatever ran before is over, also if it raised."""
        self._task, self._run, self._reached = None, None, []

    def _let_go(self) -> None:
        """Nothing more is recorded: hold no pass and no step."""
        self._reached, self._counted = [], None

    @guarded
    def reach(self, forward: ForwardPass) -> None:
        """Autograd comes to one of this forward pass's outputs."""
        run = backward_run()
        if run != self._run:
            self._run, self._reached, self._run_is_over = run, [], False
            self._look_at_what_is_left()
            call_after_backward(self._over)
        if is_grad_enabled():
            # With `create_graph`: for a gradient's own gradient.
            self.recording.open_step.use(forward)
            return
        forward.reached = True
        self._reached.append(forward)

    def _look_at_what_is_left(self) -> None:
        """Before anything is accumulated: autograd comes to the outputs first."""
        self.recording.left_gradients.look(self.recording.parameters)
        step = self.recording.open_step
        step.chores.looked = True
        if step.backward_passes:
            step.chores.rewritten += self._accumulated.is_rewritten()

    @guarded
    def on_gradient(self, parameter: Tensor) -> None:
        """A gradient was accumulated. It is read when this run has accumulated all of them.

        Not before, and not by another core meanwhile: a hook of the script's may still change it.
        """
        self.recording.left_gradients.add(parameter, self.recording.parameters)
        self._accumulated.add(parameter)
        task = backward_run()
        if task == self._task:
            return
        self._task = task
        if self._run_is_over:
            self._run, self._reached, self._run_is_over = None, [], False
        call_after_backward(self._last)

    @guarded
    def _last(self) -> None:
        """After the callbacks that others queued: with these, DDP waits for the other processes."""
        call_after_backward(self._after)

    @guarded
    def _over(self) -> None:
        self._run_is_over = True

    @guarded
    def _after(self) -> None:
        """All gradients of a backward pass are there."""
        step = self.recording.open_step
        gradients = self.recording.parameters.gradients()
        for forward in self._reached:
            step.use(forward)
        run = self._task if self._run is None else self._run
        again = self._counted == (step, run)
        self._counted = (step, run)
        self.recording.backward_passes += not again
        self._accumulated.mark()
        step.set_gradient(gradients, again=again)
