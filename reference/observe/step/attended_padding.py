"""Padding that a model attends to, because it is given no mask."""

import torch
from torch import Tensor

from reference.observe.step.arguments import takes
from reference.observe.step.describe import IDS
from reference.observe.step.rows import MASK
from reference.observe.tensors.held_tensors import unwrapped
from reference.observe.torch_internals import modules_of


def padding_that_counts(module: torch.nn.Module) -> int | None:
    """The id that pads the rows of a model that attends to padding unless it is given a mask.

    That is one whose configuration names the id, and whose attention isn't causal: there what
    follows a row does nothing to it. Another model may need no mask, or make one of the ids.
    """
    inner = unwrapped(module) if type(module).__module__.startswith("torch.") else module
    told = getattr(vars(inner).get("config"), "pad_token_id", None)
    if type(told) is not int or not takes(inner, MASK):
        return None
    causal = any(vars(part).get("is_causal") is True for part in modules_of(inner))
    return None if causal else told


def padding_without_mask(inputs: dict[str, Tensor], padding: int | None) -> int:
    """How many places at the rows' ends hold padding to which a model attends: it has no mask.

    Args:
        inputs: By name.
        padding: What pads the model's ids, if it needs a mask at all.
    """
    ids = inputs.get(IDS)
    if padding is None or ids is None or MASK in inputs or ids.dim() != 2 or not ids.numel():
        return 0
    return int((ids == padding).flip(1).long().cumprod(1).sum())
