"""Tensors of which each process holds a part: torch's DTensor, as FSDP and tensor parallelism use.

The ledger holds each process's own part, with its placement. Nothing is gathered: an operation on
a whole DTensor may make all processes exchange data, and wait for one that doesn't take part.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

PLAIN = (Tensor, torch.nn.Parameter)


def local_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, without a graph: of most it is all."""
    if type(tensor) in PLAIN:
        return tensor
    part: Any = tensor
    if is_distributed(part):
        with torch.no_grad():
            part = part.to_local()
    if hasattr(part, "trigger_wait"):  # what other processes send is still on its way
        part = part.trigger_wait()
    whole: Tensor = part
    return whole


def local_parts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As `local_part`, of each, by name."""
    return {name: local_part(tensor) for name, tensor in tensors.items()}


def is_distributed(tensor: Tensor) -> bool:
    """Whether it is a DTensor; torch need not have imported what makes them."""
    return hasattr(tensor, "placements") and hasattr(tensor, "device_mesh")


def placement_of(tensor: Tensor) -> str:
    """How processes share a DTensor, as 'S(0) over 2', or 'R, S(1) over dp 2, tp 4'; else ''."""
    if type(tensor) in PLAIN or not is_distributed(tensor):
        return ""
    distributed: Any = tensor
    mesh = distributed.device_mesh
    names = mesh.mesh_dim_names or ("",) * mesh.ndim
    sizes = (f"{name} {size}".strip() for name, size in zip(names, mesh.shape, strict=True))
    return f"{', '.join(map(str, distributed.placements))} over {', '.join(sizes)}"
