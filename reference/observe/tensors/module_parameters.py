"""The parameters of one module: which they are, and how a ledger names them."""

from collections.abc import Iterable
from typing import Any

import torch

from reference.observe.tensors.shards import placement_of
from reference.observe.torch_internals import (
    own_buffers,
    own_parameters,
    shards_of_gathered,
)


def identity(parts: Iterable[torch.nn.Module]) -> list[int]:
    """Of every module in a model and of every parameter; and which of these are frozen."""
    ids = []
    for part in parts:
        ids.append(id(part))
        ids.append(len(own_buffers(part)))
        for parameter in own_parameters(part).values():
            if parameter is not None:
                ids.append(id(parameter) if parameter.requires_grad else -id(parameter))
    return ids


def is_parameter(tensor: torch.Tensor) -> bool:
    """Not what stands in for one in a single call, as `torch.func.functional_call` has it."""
    return tensor.is_leaf and not torch.nn.parameter.is_lazy(tensor)


def prefix_of(number: int) -> str:
    """What stands before the names of a model's parameters."""
    return f"model{number}." if number else ""


def named_parameters_of(module: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Its parameters, by name; what FSDP gathers for a while stands for the shards that train."""
    shards = shards_of_gathered(module)
    return [(name, shards.get(id(p), p)) for name, p in module.named_parameters()]


def described(name: str, parameter: torch.Tensor) -> list[Any]:
    """Name and shape; and the placement of one of which each process has a part."""
    placement = placement_of(parameter)
    return [name, list(parameter.shape), *([placement] if placement else [])]
