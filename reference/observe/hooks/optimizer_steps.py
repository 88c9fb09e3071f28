"""Optimizers' steps: what the optimizer is given, and what its step makes of the weights.

An optimizer's step may call another's, and it may raise: `StepCalls` tells which call is a step.
"""

import math
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.errors import NotFinite
from reference.observe import torch_internals
from reference.observe.hooks import module_calls
from reference.observe.hooks.fail_safe import guarded
from reference.observe.hooks.forward_passes import ForwardPasses
from reference.observe.recording import Recording
from reference.observe.step.chores import state_of
from reference.observe.step.optimizer_record import OptimizerAtStep
from reference.observe.tensors.overlapped_gradients import read_gradients
from reference.observe.tensors.owners import Owners


class StepNotFinite(NotFinite):
    """A loss or gradient that isn't finite; `batches` are the inputs of that step.

    Args:
        step: from 1.
        what: the loss, or the gradient.
        batches: of each forward pass of the step its inputs, by name.
    """

    def __init__(self, step: int, what: str, batches: list[dict[str, Tensor]]) -> None:
        super().__init__(f"step {step}: the {what} is not finite; stopped before the update")
        self.step, self.what, self.batches = step, what, batches


class StepCalls:
    """The running call of `step`, known by torch's frame, from which both hooks are called."""

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[weakref.ref[Optimizer], int]] = {}  # by an optimizer's id
        self._count = 0
        self._frame_id = 0

    def begin(self) -> bool | None:
        """True for a step; None for one within another's; False for one after a step that raised.

        To be called from the hook itself.
        """
        frame = torch_internals.frame_of_step()
        if frame is not None:
            above = torch_internals.frames_above(frame)
            if any(outer.f_code is frame.f_code for outer in above):
                return None
        raised, self._frame_id = self._frame_id != 0, id(frame)
        return not raised

    def end(self) -> bool:
        """Whether the step that began is over: this may be the end of one within it."""
        if id(torch_internals.frame_of_step()) != self._frame_id:
            return False
        self._frame_id = 0
        return True

    def number(self, optimizer: Optimizer) -> tuple[bool, int]:
        """Whether this is its first step, and its number, in the order of their first steps."""
        known = self._numbers.get(id(optimizer))
        is_first = known is None or known[0]() is not optimizer
        if known is None or is_first:
            self._numbers = {i: k for i, k in self._numbers.items() if k[0]() is not None}
            known = self._numbers[id(optimizer)] = weakref.ref(optimizer), self._count
            self._count += 1
        return is_first, known[1]


class OptimizerSteps:
    """Both hooks on any optimizer's step; they complete the open step."""

    def __init__(self, recording: Recording, passes: ForwardPasses) -> None:
        self.recording = recording
        self._passes = passes
        self._calls = StepCalls()
        self._owners = Owners()

    @guarded
    def before(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A global pre-hook; gives other arguments where the step is to call a closure."""
        begun = self._calls.begin()
        if begun is None:
            return None
        if module_calls.in_backward():
            raise RuntimeError("an optimizer steps within the backward pass")
        if not begun:
            self.recording.open_step.forget_step()
        self._passes.claim_thread()
        self._write_own_steps(optimizer)
        self.recording.open_step.begin_step()
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if callable(closure) and not isinstance(closure, torch.nn.Module):
            # The optimizer takes its gradients after calling it, and so does the ledger.
            watched = self._watch_closure(optimizer, closure)
            if "closure" in kwargs:
                return args, {**kwargs, "closure": watched}
            return (args[0], watched, *args[2:]), kwargs
        self._take(optimizer)
        return None

    @guarded
    def after(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        """A global post-hook."""
        step, parameters = self.recording.open_step, self.recording.parameters
        if not self._calls.end() or step.stepped is None:
            return
        if step.reading is not None:
            read, step.reading = step.reading(), None
            if read is None:
                step.unseen = "the optimizer changed gradients while they were read"
            else:
                step.clips.append(read)
        parameters.let_go_of_gradients()
        step.update = parameters.values()
        self.recording.left_gradients.step(step.stepped.places(), parameters)
        parameters.keep()
        self.recording.optimizers.follow(step.stepped.optimizer, step.stepped.index)
        self.recording.take_step()

    def _write_own_steps(self, optimizer: Optimizer) -> None:
        """Where it steps again without a forward pass (bare tensors), its last step is over."""
        waiting = self.recording.waiting
        before = [step.stepped.optimizer for step in waiting if step.stepped]
        if any(_parameters_of(optimizer) & _parameters_of(other) for other in before):
            self.recording.write_steps()

    def _watch_closure(self, optimizer: Optimizer, closure: Callable[..., Any]) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = closure(*args, **kwargs)
            self.recording.open_step.closure_calls += 1
            self._take(optimizer)
            return result

        return watched

    @guarded
    def _take(self, optimizer: Optimizer) -> None:
        """What the optimizer gets: gradients, hyper-parameters, and the generators by now."""
        step, parameters = self.recording.open_step, self.recording.parameters
        if self.recording.stop_if_not_finite:
            self._check_finite()
        if step.stepped is None and not step.closure_calls > 1:
            self._adopt(optimizer)
        if step.closure_calls:
            step.clips.append(parameters.gradients())
        else:
            step.reading = read_gradients(parameters, optimizer)
        if step.stepped is None:
            is_first, number = self._calls.number(optimizer)
            stepped = OptimizerAtStep(number, optimizer, parameters)
            step.take_optimizer(stepped)
            unzeroed = self.recording.left_gradients.take(stepped.places())
            step.chores.set_unzeroed(unzeroed, may_be_left=self.recording.may_be_left)
            if step.has_no_pass() and not step.weights:
                # Something may have written them since the optimizer before, on whose gradients
                # this one steps.
                step.weights = parameters.values()
            if is_first:
                step.chores.state = {**state_of(optimizer), "idle": stepped.idle}
        step.drawn = self.recording.generators.later()

    def _adopt(self, optimizer: Optimizer) -> None:
        """Parameters that it moves, and that no forward pass used: they are read all the same."""
        step, parameters = self.recording.open_step, self.recording.parameters
        moved = [
            p
            for group in optimizer.param_groups
            for p in group["params"]
            if p.grad is not None and not parameters.is_called(p)
        ]
        if not moved:
            return
        # The tensors of a loss or a copy of a model's weights may stand beside a model: what they
        # do then shows in gradients, and the model's own passes were seen.
        if step.used():
            step.uncalled = len(moved)
        else:
            step.unseen = "the optimizer steps parameters that no forward pass used"
        strangers = [p for p in moved if parameters.place(p) is None]
        for record in self._owners.take(strangers, parameters):
            self.recording.fail_safe.write(record)
        parameters.use_again(moved)
        if step.used() and step.gradient is None:
            # Nothing else in the step trains, as where an image is drawn through a frozen model: no
            # hook has seen the backward pass. It may be clipped by now; from the next step on it is
            # read when it is there.
            step.set_gradient(parameters.gradients(), again=False)
        if strangers or not step.used():
            step.weights = parameters.values()

    def _check_finite(self) -> None:
        """Raise StepNotFinite into the training for a loss or gradient that isn't finite."""
        step, number = self.recording.open_step, self.recording.steps + 1
        batches = [forward.inputs for forward in step.used()]
        outputs = [forward.told().get("loss") for forward in step.used()]
        losses = [float(loss) for loss in outputs if isinstance(loss, float | str)]
        if not all(math.isfinite(loss) for loss in losses):
            self.recording.fail_safe.stop(StepNotFinite(number, "loss", batches))
        norm = 0.0 if step.gradient is None else float(step.gradient.record["norm"])
        if not math.isfinite(norm):
            self.recording.fail_safe.stop(StepNotFinite(number, "gradient", batches))


def _parameters_of(optimizer: Optimizer) -> set[int]:
    """Their ids, whatever groups they are in."""
    return {id(p) for group in optimizer.param_groups for p in group["params"]}
