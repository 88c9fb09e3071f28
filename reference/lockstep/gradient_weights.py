"""Gradients that are another's but for a number: of a loss that weighs more, or less."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


def weight_of(root: list[Any], roots: list[Any]) -> float | None:
    """What B's loss weighs beside A's; None where that isn't one number of each."""
    if len(root) != 1 or len(roots) != 1 or None in (root[0], roots[0]) or not root[0]:
        return None
    return float(roots[0] / root[0])


def are_alike(weights: Sequence[float]) -> bool:
    """Whether the passes of a step weigh the same, as far as losses of float32 tell."""
    return bool(weights) and all(math.isclose(each, weights[0], rel_tol=1e-3) for each in weights)


def are_weighed(
    gradients: Iterable[tuple[Tensor | None, Tensor | None, Tensor | None]], weight: float
) -> bool:
    """Whether all of B's gradients are A's times the weight, but for rounding.

    Args:
        gradients: B's, A's, and what both were before the pass added to it, if that isn't zero.
        weight: B's by A's.
    """
    pairs = []
    for own, theirs, start in gradients:
        if own is None or theirs is None or own.layout != torch.strided:
            return False
        added = (own, theirs) if start is None else (own - start, theirs - start)
        pairs.append((added[0].double(), weight * added[1].double(), _tolerance(own)))
    largest = [float(theirs.abs().max()) if theirs.numel() else 0.0 for _, theirs, _ in pairs]
    # A gradient that is zero but for rounding, as of attention's key biases, has any value.
    floor = 1e-2 * max(largest, default=0.0)
    return all(
        bool(((own - theirs).abs() <= tolerance * (most + floor)).all())
        for (own, theirs, tolerance), most in zip(pairs, largest, strict=True)
    )


def _tolerance(tensor: Tensor) -> float:
    """What rounding may make of a gradient that is computed with another weight."""
    return min(256 * torch.finfo(tensor.dtype).eps, 0.1)
