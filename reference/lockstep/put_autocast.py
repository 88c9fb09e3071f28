"""Autocast as A has it, for the rest of one forward pass."""

import torch

from reference.lockstep.model_parts import Undo
from reference.observe.tensors.first_parameter import first_parameter

OFF = "off"


def put_autocast(module: torch.nn.Module, kind: str) -> Undo:
    """Turn it on for a type, or off; what undoes it."""
    first = first_parameter(module)
    device = "cpu" if first is None else first.device.type
    before = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_enabled(device, kind != OFF)
    if kind != OFF:
        torch.set_autocast_dtype(device, getattr(torch, kind))

    def undo() -> None:
        torch.clear_autocast_cache()
        torch.set_autocast_enabled(device, before[0])
        torch.set_autocast_dtype(device, before[1])

    return undo
