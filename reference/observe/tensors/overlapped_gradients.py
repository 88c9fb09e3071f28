"""Gradients that another core reads while the optimizer steps, so that nobody waits for the ledger.

Only where that step is known to read them and nothing else.
What it saves: `python -m pytest benchmarks -k observing`.
"""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer

from reference.observe import torch_internals
from reference.observe.tensors.listed import Gradients
from reference.observe.tensors.parameters import Parameters
from reference.observe.tensors.two_threads import WORTH_IT
from reference.process.cores import usable_cores

# Their steps write no gradient, with the options that `_only_reads` leaves (a test goes through
# them). Older ones, and people's own, add a decay to it in place.
READERS = (Adam, AdamW, SGD)
TORCH = os.path.join(os.path.dirname(torch.__file__), "")


def read_gradients(parameters: Parameters, optimizer: Optimizer) -> Callable[[], Gradients | None]:
    """The gradients as this optimizer gets them, read by another core while it steps.

    Args:
        parameters: of all models that were seen.
        optimizer: about to step.

    Returns:
        To be called when the step is over: the gradients; None if the step changed them after all.
    """
    tensors = list(parameters.living().values())
    gradients = [t.grad for t in tensors if t.grad is not None]
    if not (
        sum(g.numel() * g.element_size() for g in gradients) >= WORTH_IT
        and _has_free_core()
        and _only_reads(optimizer)
        and _apart(tensors, gradients)
    ):
        now = parameters.gradients()
        return lambda: now
    before, finish = _versions(gradients), parameters.begin_gradients()
    return lambda: finish() if _versions(gradients) == before else None


def _has_free_core() -> bool:
    """Whether the training leaves a core over.

    Of several processes that train together this one can't tell; nor what they do to its memory.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.get_num_threads() < usable_cores() and not together


def _only_reads(optimizer: Optimizer) -> bool:
    """Whether its step is torch's own, with no other hook in it, and writes no gradient."""
    if type(optimizer) not in READERS or not _is_torchs(type(optimizer).step):
        return False
    if torch_internals.global_step_hooks() > 1 or torch_internals.has_step_hooks(optimizer):
        return False  # one is the observer's own
    if getattr(optimizer, "grad_scale", None) is not None:
        return False  # a fused step divides by it in place
    return not any(
        # Together, `foreach` and `nesterov` add the momentum to the gradient itself.
        group.get("nesterov")
        or group.get("differentiable")
        or isinstance(group.get("weight_decay"), Tensor)
        for group in optimizer.param_groups
    )


def _is_torchs(function: Any) -> bool:
    """Whether torch wrote it, and all that is wrapped around it."""
    while function is not None:
        code = getattr(function, "__code__", None)
        if code is None or not code.co_filename.startswith(TORCH):
            return False
        function = getattr(function, "__wrapped__", None)
    return True


def _apart(tensors: list[Tensor], gradients: list[Tensor]) -> bool:
    """Whether no gradient lies where a weight does, which the step changes.

    Of tensors that aren't plainly a piece of memory it can't be told.
    """
    everything = (*tensors, *gradients)
    if any(type(t) not in (Tensor, Parameter) or t.layout != torch.strided for t in everything):
        return False
    return not (_memory(tensors) & _memory(gradients))


def _memory(tensors: list[Tensor]) -> set[int]:
    """Where each one's storage begins."""
    return {t.untyped_storage().data_ptr() for t in tensors if t.numel()}


def _versions(tensors: list[Tensor]) -> list[int]:
    """How often torch saw each changed in place; -1 for one that it doesn't count for."""
    counted = torch_internals.version
    return [-1 if t.is_inference() else counted(t) for t in tensors]
