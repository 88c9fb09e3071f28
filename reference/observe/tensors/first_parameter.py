"""One parameter of a module, for what all of them have in common: a device, or whether any is."""

import torch

from reference.observe.torch_internals import modules_of, own_parameters


def first_parameter(module: torch.nn.Module) -> torch.Tensor | None:
    """Some parameter of it, if it has any; the model's own `parameters()` may be anything."""
    each = (p for m in modules_of(module) for p in own_parameters(m).values() if p is not None)
    return next(each, None)
