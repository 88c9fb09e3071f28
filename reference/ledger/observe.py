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
import time
import weakref
from collections.abc import Callable, Mapping
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
from reference.ledger import describe
from reference.ledger.hashing import (
    combine,
    generator_states,
    hash_and_norm,
    hash_tensors,
    hashes_and_norms,
)
from reference.ledger.optimizers import Stepped
from reference.ledger.parameters import Parameters
from reference.ledger.record import Record, Sink
from reference.ledger.window import (
    Evaluation,
    Forward,
    Prediction,
    Snapshot,
    Window,
    current_device,
    predict,
)


class NotFinite(TrainingFailed):
    """A loss or gradient that isn't finite; `batches` are the inputs of that step."""

    def __init__(self, step: int, what: str, batches: list[dict[str, Tensor]]) -> None:
        super().__init__(f"step {step}: the {what} is not finite; stopped before the update")
        self.step, self.what, self.batches = step, what, batches


class Observer:
    """A context manager; all that trains within it is written to `writer`, a record a step.

    It closes the writer at its end, with a last record that says whether the run was whole.

    With `stop_if_not_finite`, an optimizer step after a loss or gradient that isn't finite raises
    NotFinite before any weight has moved.
    """

    def __init__(self, writer: Sink, *, stop_if_not_finite: bool = False) -> None:
        self.steps = 0
        self.final_loss: describe.Number | None = None
        self.final_weights = ""
        self.seconds = 0.0  # from the first forward pass to the last update
        self._writer = writer
        self._stop_if_not_finite = stop_if_not_finite
        self._handles: list[Any] = []
        self._parameters = Parameters(self._on_gradient)
        self._hashes: dict[int, tuple[str, float]] = {}  # gradients hashed in this backward pass
        self._in_backward = False
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._stepping = 0  # depth: an optimizer's step may call another's, or its base class's
        self._in_closure = False
        self._window = Window()
        self._stepped: list[Window] = []  # have stepped; written at the next forward pass
        self._before: Record | None = None  # the weights after the last update
        self._evaluation: Evaluation | None = None
        self._outermost: torch.nn.Module | None = None
        self._forward: Forward | None = None
        self._started = 0.0

    def __enter__(self) -> "Observer":
        self._handles = [
            register_module_forward_pre_hook(self._before_forward),
            register_module_forward_hook(self._after_forward, with_kwargs=True, always_call=True),
            register_optimizer_step_pre_hook(self._before_update),
            register_optimizer_step_post_hook(self._after_update),
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.remove_hooks()
        self._write_steps()
        self._unused_as_evaluation()
        self._close_evaluation()
        self.final_weights = combine(hash_tensors(self._parameters.kept))
        complete = kind is None or (kind is SystemExit)
        end = {"complete": complete, "steps": self.steps, "weights": self.final_weights}
        self._writer.write({"kind": "end", **end})
        self._writer.close()

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
        return other

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the evaluation that just ended, as its loop reports them."""
        self._unused_as_evaluation()
        if self._evaluation is not None:
            self._evaluation.scores.update({k: describe.number(v) for k, v in scores.items()})
            self._evaluation.scored = True

    # forward

    def _before_forward(self, module: torch.nn.Module, _args: Any) -> None:
        if torch.compiler.is_compiling():
            return  # traced: what is compiled calls no hooks, and the model as a whole does
        if self._outermost is not None:
            forward = self._forward
            if forward is not None and forward.snapshot and "autocast" not in forward.snapshot.mode:
                # Inside the model's own forward: Accelerate turns autocast on only there.
                device = current_device(self._outermost)
                forward.snapshot.mode["autocast"] = describe.autocast(device)
            return
        if _in_backward() or next(module.parameters(), None) is None:
            return  # run again for its gradients (checkpointing); a loss or activation by itself
        self._outermost = module
        self._in_backward = False  # also after a backward pass that raised
        if not self._in_closure:
            self._stepping = 0  # also after a step that raised
        self._write_steps()
        number, record = self._parameters.watch(module)
        if record is not None:
            self._writer.write(record)
        self._forward = Forward(number, None, training=module.training)
        if torch.is_grad_enabled():
            self._started = self._started or time.perf_counter()
            if not self._window.settled():
                self._forward.snapshot = Snapshot(
                    generator_states(), describe.mode(module), self._parameters.values()
                )

    def _after_forward(self, module: torch.nn.Module, args: Any, *rest: Any) -> None:
        if torch.compiler.is_compiling():
            return
        # After a forward pass that raised, torch leaves the keywords out (seen in 2.13).
        kwargs, output = rest if len(rest) == 2 else ({}, rest[0])
        if module is not self._outermost:
            self._after_part(module, output)
            return
        self._outermost = None
        forward, self._forward = self._forward, None
        if output is None or forward is None:
            return  # it raised
        outputs = describe.tensors_in("", output)
        outputs = {name or "output": tensor for name, tensor in outputs.items()}
        if forward.snapshot is not None:
            forward.snapshot.mode.setdefault("autocast", describe.autocast(current_device(module)))
        if not torch.is_grad_enabled():
            self._evaluate(forward.training, predict(outputs))
            return
        inputs = describe.named_inputs(module, args, kwargs)
        if self._stop_if_not_finite:
            forward.inputs = inputs  # to name them
        forward.batch = describe.batch(inputs)
        forward.outputs = describe.forward(outputs)
        forward.evaluated = predict(outputs)
        with_graph = [t for t in outputs.values() if t.requires_grad and t.grad_fn is not None]
        forward.used = False if with_graph else None
        for tensor in with_graph:
            tensor.register_hook(_once(forward.use))  # type: ignore[no-untyped-call]
        self._window.forwards.append(forward)

    def _after_part(self, module: torch.nn.Module, output: Any) -> None:
        """A loss that is a module of its own: its number belongs to the forward pass before it."""
        if self._outermost is not None or not self._window.forwards or _in_backward():
            return
        outputs = self._window.forwards[-1].outputs
        if isinstance(output, Tensor) and output.dim() == 0 and output.requires_grad:
            outputs.setdefault("loss", describe.number(output.detach()))

    # backward

    def _on_gradient(self, place: int, parameter: Tensor) -> None:
        if not self._in_backward:
            self._in_backward = True
            self._hashes = {}
            # Once, when this backward pass has accumulated into every parameter.
            torch.autograd.Variable._execution_engine.queue_callback(self._after_backward)
        if parameter.grad is not None and parameter.device.type == "cpu":
            self._hashes[place] = hash_and_norm(parameter.grad)  # while it is in the cache

    def _after_backward(self) -> None:
        self._in_backward = False
        tensors = self._parameters.tensors()
        # What this pass didn't reach may hold a gradient of an earlier one.
        rest = [None if i in self._hashes or t is None else t.grad for i, t in enumerate(tensors)]
        found = [
            self._hashes.get(place, other) for place, other in enumerate(hashes_and_norms(rest))
        ]
        self._window.set_gradient([h for h, _ in found], [n for _, n in found])

    # the optimizer's step

    def _before_update(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        self._stepping += 1
        if self._stepping > 1:
            return None
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if callable(closure):
            # The optimizer takes its gradients after calling it, and so does the ledger.
            watched = self._watch_closure(optimizer, closure)
            if "closure" in kwargs:
                return args, {**kwargs, "closure": watched}
            return (args[0], watched, *args[2:]), kwargs
        self._take(optimizer)
        return None

    def _watch_closure(self, optimizer: Optimizer, closure: Callable[[], Any]) -> Any:
        def watched() -> Any:
            self._in_closure = True
            try:
                result = closure()
            finally:
                self._in_closure = False
            self._window.closure_calls += 1
            self._take(optimizer)
            return result

        return watched

    def _take(self, optimizer: Optimizer) -> None:
        """What the optimizer gets: gradients, hyper-parameters, and the generators by now."""
        window = self._window
        if self._stop_if_not_finite:
            self._check_finite()
        window.set_clip(*self._parameters.gradients())
        if window.stepped is None:
            window.stepped = Stepped(self._index(optimizer), optimizer, self._parameters)
            window.optimizer = window.stepped.describe()
            window.learning_rate = window.stepped.learning_rates()
        window.drawn = generator_states()

    def _index(self, optimizer: Optimizer) -> int:
        """The optimizer's number, in the order of their first steps."""
        known = next((i for i, r in enumerate(self._optimizers) if r() is optimizer), None)
        if known is None:
            self._optimizers.append(weakref.ref(optimizer))
        return len(self._optimizers) - 1 if known is None else known

    def _after_update(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self._stepping -= 1
        window = self._window
        if self._stepping > 0 or window.stepped is None:
            return
        window.update = self._parameters.values()
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
            self._writer.write(record)
            if window.used():
                self.final_loss = window.used()[-1].outputs.get("loss")
        if self._stepped:
            self._parameters.keep()
        self._stepped = []

    def _check_finite(self) -> None:
        used = self._window.used()
        batches = [forward.inputs for forward in used]
        found = [f.outputs.get("loss") for f in used]
        losses = [float(loss) for loss in found if isinstance(loss, float | str)]
        if not all(math.isfinite(loss) for loss in losses):
            raise NotFinite(self.steps + 1, "loss", batches)
        norm = (self._window.gradient or {}).get("norm", 0.0)
        if not math.isfinite(float(norm)):
            raise NotFinite(self.steps + 1, "gradient", batches)

    # evaluations

    def _evaluate(self, training: bool, prediction: Prediction | None) -> None:
        if self._evaluation is not None and self._evaluation.scored:
            self._close_evaluation()
        if prediction is None:
            return
        self._evaluation = self._evaluation or Evaluation(self.steps, training)
        self._evaluation.add(prediction)

    def _unused_as_evaluation(self, window: Window | None = None) -> None:
        """Forward passes with gradients on that were never backpropagated evaluate, too."""
        for forward in (window or self._window).take_unused():
            if not forward.training:
                self._evaluate(forward.training, forward.evaluated)

    def _close_evaluation(self) -> None:
        if self._evaluation is not None:
            self._writer.write(self._evaluation.record())
            self._evaluation = None


def _in_backward() -> bool:
    """Whether autograd is running: a forward pass in it is one that is done again."""
    return bool(torch._C._current_graph_task_id() != -1)


def _once(use: Callable[[], None]) -> Callable[[Tensor], None]:
    def hook(_gradient: Tensor) -> None:
        use()

    return hook
