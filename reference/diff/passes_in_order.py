"""Several forward passes in a step: what an earlier one gave may be what a later one takes.

The links stand in a step by kind: all inputs, then all outputs. In time, the outputs of the first
pass come before the inputs of the second. So where both are unequal, the inputs follow.
"""

from collections.abc import Sequence

from reference.diff.link_comparators import forward
from reference.diff.unequal import HARD, Pair, Unequal


def split_at_first_output(
    pair: Pair, unequal: Sequence[Unequal]
) -> tuple[list[Unequal], list[Unequal]]:
    """The unequal inputs up to the first pass whose outputs are unequal, and those after it.

    Args:
        pair: The two steps; both have outputs.
        unequal: Of the link `batch`.
    """
    passes = [u.forward_pass for u in forward(pair) if u.weight == HARD and u.forward_pass]
    first = min(passes, default=None)
    if first is None:
        return list(unequal), []
    later = [u for u in unequal if u.forward_pass is not None and u.forward_pass > first]
    return [u for u in unequal if u not in later], later
