"""Which calls of modules are forward passes that a ledger can hold, and what they are made of."""

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


def in_backward() -> bool:
    """Whether autograd is running: a forward pass in it is one that is done again."""
    return torch_internals.backward_run() != -1


def is_lazy(module: torch.nn.Module) -> bool:
    """Whether some weights get their shapes in this very call (`LazyLinear`)."""
    return any(isinstance(m, LazyModuleMixin) for m in torch_internals.modules_of(module))


def addresses(value: Any) -> set[int]:
    """Where the tensors among some arguments lie: a view of an output is known by it."""
    parts = value if isinstance(value, list | tuple) else [value]
    every = [local_part(t) for t in parts if isinstance(t, Tensor)]
    tensors = [t for t in every if t.layout == torch.strided]
    return {t.untyped_storage().data_ptr() for t in tensors if not t.is_nested}
