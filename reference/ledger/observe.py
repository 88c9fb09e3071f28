"""Keeps a run's ledger from outside, through PyTorch's own hooks: the loop knows nothing of it.

Keep one: `python -m reference train manual`, then see `ledger.jsonl` in the run's folder.

The hooks are the global ones (any module's forward, any optimizer's step) and one on each
parameter's gradient; they read, and change nothing. A step is all that happens from a training
forward pass to an optimizer's step, and ends when the next forward pass begins: the schedule has
moved by then, and the gradients are zeroed or not.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
import xxhash
from torch import Tensor
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reference.errors import TrainingFailed
from reference.ledger import describe
from reference.ledger.hashing import buffer_of, combine, generator_states, hash_tensors
from reference.ledger.record import Record, Writer


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

    def __init__(self, writer: Writer, *, stop_if_not_finite: bool = False) -> None:
        self.steps = 0
        self.final_loss: describe.Number | None = None
        self.final_weights = ""
        self.seconds = 0.0  # from the first forward pass to the last update
        self._writer = writer
        self._stop_if_not_finite = stop_if_not_finite
        self._handles: list[Any] = []
        self._models: dict[int, torch.nn.Module] = {}
        self._parameters: dict[str, torch.nn.Parameter] = {}
        self._started = 0.0
        self._outermost: torch.nn.Module | None = None
        self._autocast: str | None = None
        self._step: Record | None = None  # the open one
        self._inputs: list[dict[str, Tensor]] = []
        self._updated = False  # the open step's optimizer has stepped
        self._optimizer: Optimizer | None = None
        self._in_backward = False
        self._evaluation: _Evaluation | None = None

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
        self._close_step()
        self._close_evaluation()
        self.final_weights = combine(hash_tensors(self._parameters.values()))
        self._writer.write(
            {
                "kind": "end",
                "complete": kind is None,
                "steps": self.steps,
                "weights": self.final_weights,
            }
        )
        self._writer.close()

    def remove_hooks(self) -> None:
        """Stop watching; what was kept so far stays."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the evaluation that just ended, as its loop reports them."""
        if self._evaluation is not None:
            self._evaluation.scores = dict(scores)

    # forward

    def _before_forward(self, module: torch.nn.Module, _args: Any) -> None:
        if self._outermost is not None:
            if self._autocast is None:
                # Inside the model's own forward: Accelerate turns autocast on only there.
                self._autocast = describe.autocast(next(iter(self._parameters.values())))
            return
        if next(module.parameters(), None) is None:
            return  # a loss or an activation by itself
        self._outermost = module
        self._autocast = None
        self._in_backward = False  # also after a backward pass that raised
        if self._updated:
            self._close_step()
        self._watch(module)
        if torch.is_grad_enabled():
            self._close_evaluation()
            if self._step is None:
                self._open_step(module)

    def _after_forward(
        self, module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any
    ) -> None:
        if module is not self._outermost:
            return
        self._outermost = None
        if output is None:
            return  # it raised
        inputs = describe.named_tensors(args, kwargs)
        outputs = describe.outputs(output)
        if not torch.is_grad_enabled():
            self._evaluation = self._evaluation or _Evaluation(self.steps)
            self._evaluation.add(outputs)
        elif self._step is not None:
            self._inputs.append(inputs)
            self._step["batch"].append(describe.batch(inputs))
            self._step["forward"].append(describe.forward(outputs))
            self._step["mode"]["autocast"] = self._autocast

    def _watch(self, module: torch.nn.Module) -> None:
        """Begin with a model that wasn't seen before: name its parameters, hook its gradients."""
        if id(module) in self._models:
            return
        number = len(self._models)
        self._models[id(module)] = module
        prefix = "" if number == 0 else f"model{number}."
        known = {id(p) for p in self._parameters.values()}
        new = {prefix + n: p for n, p in module.named_parameters() if id(p) not in known}
        self._parameters.update(new)
        for parameter in new.values():
            if parameter.requires_grad:
                register: Any = parameter.register_post_accumulate_grad_hook
                self._handles.append(register(self._on_gradient))
        self._writer.write(describe.model(number, module, new))

    # a step

    def _open_step(self, module: torch.nn.Module) -> None:
        self._started = self._started or time.perf_counter()
        self._step = {
            "kind": "step",
            "step": self.steps + 1,
            "batch": [],
            "rng": generator_states(),
            "mode": describe.mode(module),
            "weights": self._hashed(p.detach() for p in self._parameters.values()),
            "forward": [],
            "gradient": {"backward_passes": 0},
        }
        self._inputs = []

    def _on_gradient(self, _parameter: Tensor) -> None:
        if not self._in_backward:
            self._in_backward = True
            # Once, when this backward pass has accumulated into every parameter.
            torch.autograd.Variable._execution_engine.queue_callback(self._after_backward)

    def _after_backward(self) -> None:
        self._in_backward = False
        if self._step is not None:
            passes = self._step["gradient"]["backward_passes"] + 1
            self._step["gradient"] = {"backward_passes": passes, **self._gradients()}

    def _before_update(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._step is None or self._updated:
            return
        if self._stop_if_not_finite:
            self._check_finite()
        self._step["clip"] = self._gradients()
        self._step["optimizer"] = describe.optimizer(optimizer, self._parameters)
        self._step["schedule"] = {"learning_rate": describe.learning_rates(optimizer)}

    def _after_update(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._step is None or self._updated:
            return
        self._step["update"] = self._hashed(p.detach() for p in self._parameters.values())
        self._optimizer = optimizer
        self._updated = True
        self.seconds = time.perf_counter() - self._started

    def _close_step(self) -> None:
        """Write the open step, if its optimizer has stepped."""
        if self._step is None or not self._updated or self._optimizer is None:
            return
        schedule = self._step["schedule"]
        schedule["next_learning_rate"] = describe.learning_rates(self._optimizer)
        # No link: a loop may zero later, before its next backward pass, and be the same run.
        self._step["zeroed"] = all(
            p.grad is None or not p.grad.any() for p in self._parameters.values()
        )
        self._writer.write(self._step)
        self.final_loss = self._step["forward"][-1].get("loss")
        self.steps += 1
        self._step, self._updated = None, False

    def _gradients(self) -> Record:
        gradients = [p.grad for p in self._parameters.values()]
        norm = torch.nn.utils.get_total_norm([g for g in gradients if g is not None])
        return {"norm": describe.number(norm), **self._hashed(gradients)}

    def _hashed(self, tensors: Any) -> Record:
        hashes = hash_tensors(tensors)
        return {"hash": combine(hashes), "tensors": " ".join(hashes)}

    def _check_finite(self) -> None:
        assert self._step is not None
        losses = [f["loss"] for f in self._step["forward"] if "loss" in f]
        if not all(math.isfinite(float(loss)) for loss in losses):
            raise NotFinite(self.steps + 1, "loss", self._inputs)
        norm = self._step["gradient"].get("norm", 0.0)
        if not math.isfinite(float(norm)):
            raise NotFinite(self.steps + 1, "gradient", self._inputs)

    # an evaluation

    def _close_evaluation(self) -> None:
        if self._evaluation is not None:
            self._writer.write(self._evaluation.record())
            self._evaluation = None


class _Evaluation:
    """Forward passes without gradients, one after another: what was predicted."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.count = 0
        self.scores: dict[str, float] = {}
        self._predictions = xxhash.xxh3_128()
        self._logits = xxhash.xxh3_128()

    def add(self, outputs: dict[str, Tensor]) -> None:
        logits = describe.logits(outputs)
        if logits is None:
            return
        self.count += len(logits)
        self._logits.update(buffer_of(logits.float()))
        self._predictions.update(buffer_of(logits.argmax(-1)))

    def record(self) -> Record:
        return {
            "kind": "evaluation",
            "step": self.step,
            "metrics": {
                "predictions": self._predictions.hexdigest(),
                "logits": self._logits.hexdigest(),
                "count": self.count,
                "scores": self.scores,
            },
        }
