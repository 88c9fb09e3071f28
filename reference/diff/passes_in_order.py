"""Several forward passes in a step: what an earlier one gave may be what a later one takes.

The links stand in a step by kind: all inputs, then all outputs. In time, the outputs of the first
pass come before the inputs of the second. So where both are unequal, the inputs follow.

And two passes of a step may be made in either order. Whether that does anything is told by what
follows: by outputs that draw random numbers, and by gradients.
"""

from collections.abc import Sequence
from math import isclose
from typing import Any

from reference.diff.link_comparators import forward
from reference.diff.unequal import HARD, NOTE, SOFT, Pair, Unequal
from reference.ledger.record import Record

ORDER = "order of the forward passes"
PASSES = ("batch", "forward", "inside")  # fields with an entry for each forward pass
CHORES = ("scales", "padded")  # such fields of `chores`
ROUNDING = (
    1e-2  # relative: as far apart may norms of gradients be that are summed otherwise, in bf16
)


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


def in_same_order(
    left: Record, right: Record, *, known: bool = False
) -> tuple[Record, list[Unequal]]:
    """The second run's step with its passes as the first run has them, where it has all of them.

    Args:
        left: The first run's step.
        right: The second run's.
        known: The order was another in an earlier step, too, which was equal all the same.

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
    changed = {**right, **_with_passes_at(right, places)}
    first, second = (" ".join(str(n + 1) for n in each) for each in (sorted(places), places))
    weight = SOFT if not known and _may_be_why(left, changed) else NOTE
    return changed, [Unequal("batch", ORDER, first, second, weight)]


def _with_passes_at(record: Record, places: Sequence[int]) -> Record:
    """All fields that have an entry for each forward pass, with these passes in this order."""
    count = len(places)
    changed: Record = {name: _at(record.get(name), places) for name in PASSES if name in record}
    modes = _modes(record.get("mode") or {}, count)
    if modes:
        of_first, *later = (modes[n] for n in places)
        changed["mode"] = {**record["mode"], **of_first, "later": later}
    if "chores" in record:
        chores = {n: _at(v, places) if n in CHORES else v for n, v in record["chores"].items()}
        changed["chores"] = chores
    return changed


def _at(values: Any, places: Sequence[int]) -> Any:
    """The values at these places; a list of another length is no list of all passes."""
    is_of_passes = isinstance(values, list) and len(values) == len(places)
    return [values[n] for n in places] if is_of_passes else values


def _may_be_why(left: Record, right: Record) -> bool:
    """Whether the order of the passes may be why the rest of the step is unequal.

    It is by random numbers, which each pass draws where the one before left them; and by the order
    in which gradients are added up, which moves their last digits.
    """
    if any(u.weight == HARD for u in forward(Pair(left, right))):
        return any(drawn for each in (left, right) for _, drawn in (each.get("rng") or {}).values())
    ours, theirs = ((each.get("gradient") or {}).get("norm") for each in (left, right))
    if not (isinstance(ours, int | float) and isinstance(theirs, int | float)):
        return True
    return isclose(ours, theirs, rel_tol=ROUNDING)


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
