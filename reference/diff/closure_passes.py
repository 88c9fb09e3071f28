"""Steps of an optimizer that calls its closure again (LBFGS): what follows there from what.

Used by `python -m reference diff A B`.
"""

import re
from typing import Any

from reference.diff.link_comparators import COMPARATORS, HARD, Pair, Unequal
from reference.ledger.record import Record

PASS = re.compile(r"pass (\d+), ")
PASSES = ("batch", "forward")  # the links with one entry for each forward pass


def told_before(
    pair: Pair,
    link: str,
    found: list[Unequal],
) -> list[Unequal]:
    """Where an optimizer calls its closure again, later passes follow from what it was told."""
    a, b = pair.left, pair.right
    calls = [(r.get("clip") or {}).get("closure_calls", 0) for r in (a, b)]
    if min(calls) < 1 or max(calls) < 2 or link not in ("batch", "forward", "gradient", "clip"):
        return []
    own = _passes_a_call((a, b), calls)
    if own is None or not all(_is_later(u, own) for u in found if u.link in PASSES):
        return []
    for before in ("weights", "forward"):  # not compared yet where the batches differ
        if link == "batch" and a.get(before) is not None and b.get(before) is not None:
            own_link = COMPARATORS[before](pair)
            hard = [u for u in own_link if u.weight == HARD and not _is_later(u, own)]
            if hard:
                return hard
    first = [_first_norm(r, count) for r, count in zip((a, b), calls, strict=True)]
    if first[0] != first[1]:
        return [Unequal("gradient", "norm after the first call", *first)]
    told = [u for u in COMPARATORS["optimizer"](pair) if u.weight == HARD]
    if pair.rate is not None and pair.rate.unequal not in told:
        told.append(pair.rate.unequal)
    return told


def _passes_a_call(pair: tuple[Record, Record], calls: list[int]) -> int | None:
    """How many forward passes a closure makes in a call; None where that isn't the same for all."""
    both = zip(pair, calls, strict=True)
    each = {divmod(len(record.get("batch") or []), count) for record, count in both}
    own, rest = each.pop()
    return own if not each and not rest else None


def _is_later(one: Unequal, own: int) -> bool:
    """Whether it is of a pass after a closure's first call, or of how often it was called."""
    number = PASS.match(one.field)
    return one.field == "forward passes" or bool(number and int(number[1]) > own)


def _first_norm(record: Record, calls: int) -> Any:
    """The gradients' norm after a closure's first call; None where that isn't known."""
    gradient = record.get("gradient") or {}
    norms = gradient.get("norms_after") or [gradient.get("norm")]  # of a single pass
    return None if len(norms) % calls else norms[len(norms) // calls - 1]
