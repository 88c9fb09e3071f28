"""Losses that are functions: `torch.nn.functional.cross_entropy` on what a model gave, for example.

No hook of torch's tells that one is called, so that its targets would be seen by nobody. What is
replaced is the function that each of them calls at last: so it doesn't matter under which name, and
when, a script has imported its loss.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reference.observe.hooks import module_calls
from reference.observe.hooks.fail_safe import guarded, reason
from reference.observe.patched_functions import patched
from reference.observe.recording import Recording
from reference.observe.step.loss_content import loss_of
from reference.observe.tensors.shards import local_parts
from reference.observe.torch_internals import (
    forget_operator,
    is_called_from,
    is_transformed,
    keep_operator,
    owners_of_losses,
)

TWO = ("input", "target", "weight")
# By its name in `torch._C._nn` or `torch`: what a ledger calls it, and what it is given.
IN_NN = {
    "binary_cross_entropy": ("binary_cross_entropy", TWO),
    "cross_entropy_loss": ("cross_entropy", TWO),
    "huber_loss": ("huber_loss", TWO),
    "l1_loss": ("l1_loss", TWO),
    "mse_loss": ("mse_loss", TWO),
    "multi_margin_loss": ("multi_margin_loss", TWO[:2]),
    "multilabel_margin_loss": ("multilabel_margin_loss", TWO[:2]),
    "nll_loss_nd": ("nll_loss", TWO),
    "smooth_l1_loss": ("smooth_l1_loss", TWO[:2]),
    "soft_margin_loss": ("soft_margin_loss", TWO[:2]),
}
IN_TORCH = {
    "binary_cross_entropy_with_logits": ("binary_cross_entropy_with_logits", (*TWO, "pos_weight")),
    "cosine_embedding_loss": ("cosine_embedding_loss", ("input1", "input2", "target")),
    "ctc_loss": ("ctc_loss", ("log_probs", "targets", "input_lengths", "target_lengths")),
    "hinge_embedding_loss": ("hinge_embedding_loss", TWO[:2]),
    "kl_div": ("kl_div", TWO[:2]),
    "margin_ranking_loss": ("margin_ranking_loss", ("input1", "input2", "target")),
    "poisson_nll_loss": ("poisson_nll_loss", TWO[:2]),
    "triplet_margin_loss": ("triplet_margin_loss", ("anchor", "positive", "negative")),
}
OF_MODULES = torch.nn.modules.loss.__name__  # whose losses are seen as modules


class LossFunctions:
    """Stands before torch's losses; it fills the last evaluation, or passes that may become one.

    Args:
        recording: What is being recorded.
        is_within_model: Whether a model's own call is running: then the loss is a part of it.
    """

    def __init__(self, recording: Recording, is_within_model: Callable[[], bool]) -> None:
        self.recording = recording
        self._is_within_model = is_within_model
        self._patches = ExitStack()

    def begin(self) -> None:
        """Watch the calls."""
        for owner, functions in zip(owners_of_losses(), (IN_NN, IN_TORCH), strict=True):
            for function, (name, arguments) in functions.items():
                self._patches.enter_context(
                    patched(owner, function, partial(self._watch, name, arguments))
                )

    def end(self) -> None:
        """Watch no longer."""
        self._patches.close()

    def _watch(
        self, name: str, arguments: tuple[str, ...], loss: Callable[..., Any]
    ) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            made = loss(*args, **kwargs)
            # The function of torch's that calls this one may be called by a module's `forward`.
            if not (
                torch.compiler.is_compiling()
                or self._is_within_model()
                or is_called_from(OF_MODULES, 2)
            ):
                self._note(name, {**dict(zip(arguments, args, strict=False)), **kwargs}, made)
            return made

        # A script that TorchScript compiles meanwhile finds its operator by this.
        keep_operator(loss, watched)
        self._patches.callback(forget_operator, watched)
        return watched

    @guarded
    def _note(self, name: str, given: dict[str, Any], made: Any) -> None:
        forwards = self.recording.open_step.forwards
        has_gradients = torch.is_grad_enabled() and bool(forwards)
        if not (has_gradients or self.recording.evaluations.is_open()) or is_transformed():
            return
        try:
            tensors = local_parts({n: t for n, t in given.items() if isinstance(t, Tensor)})
            outputs = local_parts({"": made})
            if not has_gradients:
                evaluations = self.recording.evaluations
                shared = {n: evaluations.given.has(t) for n, t in tensors.items()}
                evaluations.add_loss(loss_of(name, tensors, {}, outputs, shared))
                return
            memory = {n: module_calls.addresses(t) for n, t in tensors.items()}
            every = set().union(*memory.values())
            # What is computed of outputs before, as by log_softmax, is of the last pass.
            forward = next((f for f in reversed(forwards) if f.memory.holds(every)), forwards[-1])
            if made.requires_grad and forward.content is not None:
                shared = {n: forward.memory.holds(at) for n, at in memory.items()}
                forward.losses_made.append(loss_of(name, tensors, {}, outputs, shared))
        except (TypeError, RuntimeError) as error:  # tensors that can't be read: nested ones
            self.recording.evaluations.taint(f"{name}: {reason(error)}")
