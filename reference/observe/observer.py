"""Keeps a run's ledger from outside, through PyTorch's own hooks: the loop knows nothing of it.

Keep one: `python -m reference train manual`, then see `ledger.jsonl` in the run's folder; or of
any script: `python -m reference observe SCRIPT`.

The hooks are the global ones (any module's forward, any optimizer's step), one on each
parameter's gradient, and one on each model's output, which tells whether that forward pass was
backpropagated. They read, and change nothing. A step is all that happens up to an optimizer's
step, and is written when the next forward pass begins: the schedule has moved by then, and the
gradients are zeroed or not.
"""

import math
import re
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reference.errors import TrainingFailed
from reference.ledger.record import Record, Sink
from reference.observe.generators import generator_states
from reference.observe.hooks import module_calls
from reference.observe.hooks.backward_passes import Backward
from reference.observe.hooks.fail_safe import Careful, guarded
from reference.observe.hooks.forward_passes import Listener, Passes
from reference.observe.hooks.optimizer_steps import Stepping
from reference.observe.step import describe
from reference.observe.step.evaluation import Evaluation, Prediction
from reference.observe.step.open_step import Window
from reference.observe.step.optimizer_record import Stepped
from reference.observe.tensors.overlapped_gradients import read_gradients

OF_OUR_HOOKS = "Using `torch.compile(module)` when there are global hooks on modules"


class NotFinite(TrainingFailed):
    """A loss or gradient that isn't finite; `batches` are the inputs of that step."""

    def __init__(self, step: int, what: str, batches: list[dict[str, Tensor]]) -> None:
        super().__init__(f"step {step}: the {what} is not finite; stopped before the update")
        self.step, self.what, self.batches = step, what, batches


class Observer:
    """A context manager; all that trains within it is written to `writer`, a record a step.

    It closes the writer at its end, with a last record that says whether the run was whole. What
    goes wrong in observing never reaches the training: the ledger ends, and says why. Only what
    the writer raises does.

    With `stop_if_not_finite`, an optimizer step after a loss or gradient that isn't finite raises
    NotFinite before any weight has moved.
    """

    def __init__(self, writer: Sink, *, stop_if_not_finite: bool = False) -> None:
        self.steps = 0
        self.final_loss: describe.Number | None = None
        self.final_weights = ""
        self._final: Record = {}
        self.seconds = 0.0  # from the first forward pass to the last update
        self.careful = Careful(writer)
        self._writer = writer
        self._stop_if_not_finite = stop_if_not_finite
        self._handles: list[Any] = []
        self._window = Window()
        self._stepped: list[Window] = []  # have stepped; written at the next forward pass
        self._before: Record | None = None  # the weights after the last update
        self._evaluation: Evaluation | None = None
        self._started = 0.0
        self._stepping = Stepping()
        self._backward = Backward(self.careful, lambda: self._window)
        self._parameters = self._backward.parameters
        listener = Listener(
            lambda: self._window, self._begin_pass, self._evaluate, self._missed, self._taint
        )
        self._passes = Passes(
            self.careful, self._backward, listener, keep_inputs=stop_if_not_finite
        )

    def __enter__(self) -> "Observer":
        after = self._passes.after
        # What torch says of a compiled model, once per call, because of our hooks.
        warnings.filterwarnings("ignore", re.escape(OF_OUR_HOOKS), UserWarning)
        self._handles = [
            register_module_forward_pre_hook(self._passes.before),
            register_module_forward_hook(after, with_kwargs=True, always_call=True),
            register_optimizer_step_pre_hook(self._before_update),
            register_optimizer_step_post_hook(self._after_update),
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.remove_hooks()
        complete = kind is None or (kind is SystemExit)
        with closing(self._writer):
            self._finish()
            end: Record = {"complete": complete, "steps": self.steps, "weights": "", **self._final}
            if self.careful.lost:
                told = {"recorded": self.steps, "lost": self.careful.lost}
                end = {"complete": False, "steps": self.steps, "weights": "", **told}
            self._writer.write({"kind": "end", **end})

    def remove_hooks(self) -> None:
        """Stop watching; what was kept so far stays."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._parameters.remove_hooks()

    def settle(self) -> None:
        """Write the last step now: there is no forward pass to come that would end it."""
        self._write_steps()

    def go_on(self, writer: Sink | None = None) -> "Observer":
        """An observer that is to go on from here, with another writer: it knows the same models."""
        other = Observer(writer or self._writer, stop_if_not_finite=self._stop_if_not_finite)
        other.steps, other.final_loss = self.steps, self.final_loss
        other._parameters, other._before = self._parameters, self._before
        other._backward.parameters = self._parameters
        return other

    @guarded
    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the evaluation that just ended, as its loop reports them."""
        self._unused_as_evaluation()
        if self._evaluation is not None:
            self._evaluation.scores.update({k: describe.number(v) for k, v in scores.items()})
            self._evaluation.scored = True

    @guarded
    def _finish(self) -> None:
        self._write_steps()
        self._unused_as_evaluation()
        self._close_evaluation()
        self._final = self._parameters.last()
        self.final_weights = self._final["weights"]

    # the optimizer's step

    @guarded
    def _before_update(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        begun = self._stepping.begin()
        if begun is None:
            return None
        if module_calls.in_backward():
            raise RuntimeError("an optimizer steps within the backward pass")
        if not begun:
            self._window.forget_step()
        self._passes.claim()
        self._steps_again(optimizer)
        self._window.begin_step()
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if callable(closure) and not isinstance(closure, torch.nn.Module):
            # The optimizer takes its gradients after calling it, and so does the ledger.
            watched = self._watch_closure(optimizer, closure)
            if "closure" in kwargs:
                return args, {**kwargs, "closure": watched}
            return (args[0], watched, *args[2:]), kwargs
        self._take(optimizer)
        return None

    def _steps_again(self, optimizer: Optimizer) -> None:
        """Without a forward pass in between (bare tensors): what was done to them is over."""
        before = [window.stepped.optimizer for window in self._stepped if window.stepped]
        if any(_parameters_of(optimizer) & _parameters_of(one) for one in before):
            self._write_steps()

    def _watch_closure(self, optimizer: Optimizer, closure: Callable[..., Any]) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = closure(*args, **kwargs)
            self._window.closure_calls += 1
            self._take(optimizer)
            return result

        return watched

    @guarded
    def _take(self, optimizer: Optimizer) -> None:
        """What the optimizer gets: gradients, hyper-parameters, and the generators by now."""
        window = self._window
        if self._stop_if_not_finite:
            self._check_finite()
        if window.closure_calls:
            window.set_clip(*self._parameters.gradients())
        else:
            window.reading = read_gradients(self._parameters, optimizer)
        if window.stepped is None:
            index = self._stepping.index(optimizer)
            window.stepped = Stepped(index, optimizer, self._parameters)
            window.optimizer = window.stepped.describe()
            if window.stepped.has_strangers:
                window.unseen = "the optimizer steps parameters of no model that was seen"
            window.learning_rate = window.stepped.learning_rates()
        window.drawn = generator_states()

    @guarded
    def _after_update(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        window = self._window
        if not self._stepping.end() or window.stepped is None:
            return
        if window.reading is not None:
            read, window.reading = window.reading(), None
            if read is None:
                window.unseen = "the optimizer changed gradients while they were read"
            else:
                window.set_clip(*read)
        window.update = self._parameters.values()
        self._parameters.keep()
        self._stepped.append(window)
        self._window = Window()
        self.seconds = time.perf_counter() - self._started

    def _write_steps(self) -> None:
        """Write the steps that are over."""
        for window in self._stepped:
            self._unused_as_evaluation(window)
            self._close_evaluation()
            self.steps += 1
            record = window.record(self.steps, self._parameters, self._before)
            self._before = window.update
            self.careful.write(record)
            if window.used():
                self.final_loss = window.used()[-1].outputs.get("loss")
        self._stepped = []

    def _check_finite(self) -> None:
        used = self._window.used()
        batches = [forward.inputs for forward in used]
        found = [f.outputs.get("loss") for f in used]
        losses = [float(loss) for loss in found if isinstance(loss, float | str)]
        if not all(math.isfinite(loss) for loss in losses):
            self.careful.stop(NotFinite(self.steps + 1, "loss", batches))
        norm = (self._window.gradient or {}).get("norm", 0.0)
        if not math.isfinite(float(norm)):
            self.careful.stop(NotFinite(self.steps + 1, "gradient", batches))

    # forward passes

    def _begin_pass(self) -> None:
        if torch.is_grad_enabled():
            self._started = self._started or time.perf_counter()
        self._write_steps()
        for forward in self._window.take_over():
            if not forward.training:
                self._evaluate(forward.training, forward.evaluated)

    def _evaluate(self, training: bool, prediction: Prediction | None) -> None:
        self._close_scored()
        if prediction is None:
            return
        self._evaluation = self._evaluation or Evaluation(self.steps, training)
        self._evaluation.add(prediction)

    def _missed(self, why: str) -> None:
        """One pass of an evaluation can't be recorded: its record says so, and isn't compared."""
        self._close_scored()
        self._evaluation = self._evaluation or Evaluation(self.steps, training=False)
        self._evaluation.unseen = why

    def _taint(self, why: str) -> None:
        """Something that isn't an evaluation's stands in the one that is open."""
        if self._evaluation is not None:
            self._evaluation.unseen = why

    def _unused_as_evaluation(self, window: Window | None = None) -> None:
        """Forward passes with gradients on that were never backpropagated evaluate, too."""
        for forward in (window or self._window).take_unused():
            if not forward.training:
                self._evaluate(forward.training, forward.evaluated)

    def _close_scored(self) -> None:
        """Its scores ended it: what comes now is another."""
        if self._evaluation is not None and self._evaluation.scored:
            self._close_evaluation()

    def _close_evaluation(self) -> None:
        if self._evaluation is not None:
            self.careful.write(self._evaluation.record())
            self._evaluation = None


def _parameters_of(optimizer: Optimizer) -> set[int]:
    """Their ids, whatever groups they are in."""
    return {id(p) for group in optimizer.param_groups for p in group["params"]}
