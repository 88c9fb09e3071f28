"""Which calls of modules are forward passes that a ledger can hold, and what they are made of."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin

from reference.observe import torch_internals
from reference.observe.tensors.first_parameter import first_parameter
from reference.observe.tensors.shards import local_part


def computes_nothing(module: torch.nn.Module) -> bool:
    """Whether this call is traced, or made of tensors without values: no pass of any training."""
    first = first_parameter(module)
    return (
        torch_internals.is_tracing()
        or (first is not None and first.is_meta)
        or torch_internals.makes_fake_tensors()
        or torch_internals.is_replica(module)  # its pass is a part of the model's own
    )


def is_model(module: torch.nn.Module) -> bool:
    """Whether a call of it is a model's pass: it has parameters, or it predicts by something else.

    A quantised or frozen model has its weights elsewhere; a nearest mean is a buffer. But for
    torch's own losses, whose class weights are buffers, too.
    """
    if first_parameter(module) is not None:
        return True
    if torch.is_grad_enabled() or _is_loss(module):
        return False  # it learns nothing
    return any(_holds_tensors(part) for part in torch_internals.modules_of(module))


def _is_loss(module: torch.nn.Module) -> bool:
    """Whether it is one of torch's own losses, or made of one."""
    return any(
        kind.__module__ == torch.nn.CrossEntropyLoss.__module__ for kind in type(module).__mro__
    )


def _holds_tensors(module: torch.nn.Module) -> bool:
    if isinstance(module, torch.jit.ScriptModule):
        return True
    kept = (*torch_internals.own_buffers(module).values(), *vars(module).values())
    return any(isinstance(value, Tensor | torch.ScriptObject) for value in kept)


def in_backward() -> bool:
    """Whether autograd is running: a forward pass in it is one that is done again."""
    return torch_internals.backward_run() != -1


def is_lazy(parts: Iterable[torch.nn.Module]) -> bool:
    """Whether some weights of these modules get their shapes in this very call (`LazyLinear`)."""
    return any(issubclass(kind, LazyModuleMixin) for kind in set(map(type, parts)))


def addresses(value: Any) -> set[int]:
    """Where the tensors among some arguments lie: a view of an output is known by it."""
    parts = value if isinstance(value, list | tuple) else [value]
    every = [local_part(t) for t in parts if isinstance(t, Tensor)]
    tensors = [t for t in every if t.layout == torch.strided]
    return {t.untyped_storage().data_ptr() for t in tensors if not t.is_nested}
