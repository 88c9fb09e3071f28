"""Several forward passes in a step: what an earlier one gave may be what a later one takes.

The links stand in a step by kind: all inputs, then all outputs. In time, the outputs of the first
pass come before the inputs of the second. So where both are unequal, the inputs follow.

And two passes of a step may be made in either order. Whether that does anything is told by what
follows: by outputs that draw random numbers, and by gradients.
"""

from collections.abc import Sequence
from typing import Any

from reference.diff.link_comparators import forward
from reference.diff.unequal import HARD, SOFT, Pair, Unequal
from reference.ledger.record import Record

ORDER = "order of the forward passes"


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


def in_same_order(left: Record, right: Record) -> tuple[Record, list[Unequal]]:
    """The second run's step with its passes as the first run has them, where it has all of them.

    Returns:
        The step; and that the order was another, if it was.
    """
    ours, theirs = left.get("batch") or [], right.get("batch") or []
    outputs = right.get("forward") or []
    if ours == theirs or not len(ours) == len(theirs) == len(outputs) > 1:
        return right, []
    places = _places(ours, theirs)
    if places is None or places == sorted(places):
        return right, []
    modes = _modes(right.get("mode") or {}, len(theirs))
    changed = {
        **right,
        "batch": [theirs[n] for n in places],
        "forward": [outputs[n] for n in places],
    }
    if modes:
        of_first, *later = (modes[n] for n in places)
        changed["mode"] = {**right["mode"], **of_first, "later": later}
    first, second = (" ".join(str(n + 1) for n in each) for each in (sorted(places), places))
    return changed, [Unequal("batch", ORDER, first, second, SOFT)]


def _places(ours: Sequence[Record], theirs: Sequence[Record]) -> list[int] | None:
    """Where the second run has each of the first one's passes: of its inputs, or else its model."""
    left = list(range(len(theirs)))
    places: dict[int, int] = {}
    for is_same in (_are_equal, _are_of_one_model):
        for number, each in enumerate(ours):
            fits = [n for n in left if number not in places and is_same(each, theirs[n])]
            if fits:
                places[number] = fits[0]
                left.remove(fits[0])
    return [places[number] for number in range(len(ours))] if len(places) == len(ours) else None


def _are_equal(left: Record, right: Record) -> bool:
    return left == right


def _are_of_one_model(left: Record, right: Record) -> bool:
    return bool(left.get("model", 0) == right.get("model", 0))


def _modes(mode: Record, passes: int) -> list[dict[str, Any]]:
    """Of each pass its own mode; none where all passes have the same."""
    if "later" not in mode or len(mode["later"]) != passes - 1:
        return []
    first = {name: mode[name] for name in ("training", "autocast") if name in mode}
    return [first, *mode["later"]]
