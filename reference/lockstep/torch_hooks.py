"""Where a training is held: its passes, losses, backward passes, clips, steps and loaders.

The hooks tell a `Side` of each; the side may give other arguments, outputs or batches back.
"""

import functools
import inspect
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reference.observe import torch_internals
from reference.observe.hooks import module_calls
from reference.observe.hooks.optimizer_steps import StepCalls
from reference.observe.patched_functions import patched

Call = Callable[..., Any]

# Of `torch.nn.functional`: what makes a loss of a prediction and a target.
LOSSES = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
)
CLIPS = ("clip_grad_norm_", "clip_grad_value_")  # of `torch.nn.utils`


class Side(Protocol):
    """One of the two trainings, as its hooks have it."""

    def pass_begins(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """A model is called; gives other positional arguments, and may change the keywords."""

    def part_begins(self) -> None:
        """The first module within that model is called."""

    def pass_ends(self, output: Any) -> Any:
        """The call is over; gives another output, or None."""

    def pass_fails(self) -> None:
        """The call has raised."""

    def looks(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """A model is called without gradients; as `pass_begins`."""

    def has_looked(self, output: Any) -> None:
        """That call is over."""

    def loss(self, name: str, function: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A loss is to be computed; gives it."""

    def backward(self, tensors: list[torch.Tensor], run: Callable[[], None]) -> None:
        """A backward pass is to be run from these."""

    def clip(self, name: str, bound: float, run: Callable[[float], Any]) -> Any:
        """Gradients are to be clipped, with this bound or another; gives what that gives."""

    def step_begins(self, optimizer: Optimizer) -> None:
        """An optimizer has its gradients, and is about to step."""

    def step_ends(self, optimizer: Optimizer) -> None:
        """It has stepped."""

    def loader_yields(self, dataset: Any, batch: Any) -> Any:
        """A DataLoader gives a batch; gives it, or another."""


class TorchHooks:
    """The hooks of one process, in the thread that imported torch."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._thread = threading.get_ident()
        self._patches = ExitStack()
        self._handles: list[Any] = []
        self._outer: torch.nn.Module | None = None  # the model whose call is going on
        self._frame_id = 0
        self._depth = 0  # of the calls that it makes of itself
        self._told = False  # the side knows of that call
        self._in_part = False
        self._steps = StepCalls()
        self._backward_runs = False
        self._closure_taken = False

    def install(self) -> None:
        """Begin."""
        before: Any = self._before  # torch's annotation has it give nothing
        self._handles = [
            register_module_forward_pre_hook(before),
            register_module_forward_hook(self._after, with_kwargs=True, always_call=True),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        import torch.utils.data.dataloader as loaders

        functional, utils = torch.nn.functional, torch.nn.utils
        for name in LOSSES:
            make = functools.partial(self._watched_loss, name)
            self._patches.enter_context(patched(functional, name, make))
        for name in CLIPS:
            make = functools.partial(self._watched_clip, name)
            for owner in (utils, utils.clip_grad):
                self._patches.enter_context(patched(owner, name, make))
        self._patches.enter_context(patched(torch.autograd, "backward", self._watched_backward))
        iterator = loaders._BaseDataLoaderIter
        self._patches.enter_context(patched(iterator, "__next__", self._watched_loader))

    def remove(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._patches.close()

    def _is_elsewhere(self) -> bool:
        compiling = torch.compiler.is_compiling()
        return compiling or not self._handles or threading.get_ident() != self._thread

    def _before(self, module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """A global forward pre-hook."""
        if self._is_elsewhere():
            return None
        if self._outer is not None and not self._was_interrupted(module):
            self._depth += module is self._outer
            if self._told and not self._in_part:
                self._in_part = True
                self._side.part_begins()
            return None
        if module_calls.in_backward() or not module_calls.is_model(module):
            return None
        if module_calls.computes_nothing(module) or torch_internals.is_transformed():
            return None
        self._outer, self._depth, self._in_part = module, 0, False
        self._frame_id = id(torch_internals.frame_of_call())
        self._told = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        keywords: Any = torch_internals.keywords_of_call()
        if not self._told:
            return self._side.looks(module, args, {} if keywords is None else keywords)
        # Torch's own mapping of this call: what is changed in it, the module gets.
        return self._side.pass_begins(module, args, {} if keywords is None else keywords)

    def _was_interrupted(self, module: torch.nn.Module) -> bool:
        """Whether the outer call is over without a hook having told: after Ctrl-C."""
        if module is not self._outer:
            return False
        frame = torch_internals.frame_of_call()
        return frame is not None and not torch_internals.is_within_call(
            frame, module, self._frame_id
        )

    def _after(self, module: torch.nn.Module, _args: Any, *rest: Any) -> Any:
        """A global forward hook, called also after a pass that raised."""
        if self._is_elsewhere() or module is not self._outer:
            return None
        if self._depth:
            self._depth -= 1
            return None
        output = rest[-1]
        self._outer = None
        if not self._told:
            if output is not None:
                self._side.has_looked(output)
            return None
        if output is None:
            self._side.pass_fails()
            return None
        return self._side.pass_ends(output)

    def _watched_loss(self, name: str, function: Call) -> Call:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self._is_elsewhere() or module_calls.in_backward() or not torch.is_grad_enabled():
                return function(*args, **kwargs)
            return self._side.loss(name, function, args, kwargs)

        return watched

    def _watched_clip(self, name: str, function: Call) -> Call:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self._is_elsewhere():
                return function(*args, **kwargs)
            given = signature.bind(*args, **kwargs)
            bound = list(given.arguments)[1]

            def run(value: float) -> Any:
                given.arguments[bound] = value
                return function(*given.args, **given.kwargs)

            return self._side.clip(name, float(given.arguments[bound]), run)

        return watched

    def _watched_backward(self, function: Call) -> Call:
        @functools.wraps(function)
        def watched(tensors: Any, *args: Any, **kwargs: Any) -> None:
            if self._is_elsewhere() or self._backward_runs or module_calls.in_backward():
                function(tensors, *args, **kwargs)
                return
            self._backward_runs = True
            try:
                roots = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
                self._side.backward(roots, lambda: function(tensors, *args, **kwargs))
            finally:
                self._backward_runs = False

        return watched

    def _watched_loader(self, function: Call) -> Call:
        @functools.wraps(function)
        def watched(iterator: Any) -> Any:
            batch = function(iterator)
            if self._is_elsewhere():
                return batch
            return self._side.loader_yields(iterator._dataset, batch)

        return watched

    def _before_step(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A global pre-hook of optimizers' steps."""
        if self._is_elsewhere() or self._steps.begin() is None:
            return None
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if not callable(closure):
            self._side.step_begins(optimizer)
            return None
        # It takes its gradients after it has called the closure, perhaps several times.
        self._closure_taken = False
        watched = self._watched_closure(optimizer, closure)
        if "closure" in kwargs:
            return args, {**kwargs, "closure": watched}
        return (args[0], watched, *args[2:]), kwargs

    def _watched_closure(self, optimizer: Optimizer, closure: Call) -> Call:
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = closure(*args, **kwargs)
            if not self._closure_taken:
                self._closure_taken = True
                self._side.step_begins(optimizer)
            return result

        return watched

    def _after_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        """A global post-hook of optimizers' steps."""
        if not self._is_elsewhere() and self._steps.end():
            self._side.step_ends(optimizer)
