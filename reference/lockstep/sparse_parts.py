"""Sparse gradients as indices and values, which can be sent, and back.

An optimizer for sparse gradients takes no dense one, and moves what has an index, be it of a zero.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

INDICES, VALUES = "indices", "values"  # behind the place of a gradient, and a blank


def split(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each dense one as it is, and of each sparse one both its parts, by its place."""
    found: dict[str, Tensor] = {}
    for place, gradient in gradients.items():
        if gradient.layout == torch.sparse_coo:
            merged = gradient.coalesce()
            found[f"{place} {INDICES}"] = merged.indices()
            found[f"{place} {VALUES}"] = merged.values()
        else:
            found[place] = gradient
    return found


def joined(place: str, sent: Mapping[str, Tensor], like: Tensor) -> Tensor | None:
    """The gradient of a place, of the parameter's type and device; None where it has none."""
    if place in sent:
        return sent[place].to(like.device, like.dtype)
    indices, values = sent.get(f"{place} {INDICES}"), sent.get(f"{place} {VALUES}")
    if indices is None or values is None:
        return None
    parts = indices.to(like.device), values.to(like.device, like.dtype)
    return torch.sparse_coo_tensor(*parts, like.shape, is_coalesced=True, check_invariants=False)
