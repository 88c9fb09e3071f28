"""Which evaluation of one run is which of the other's, where one evaluates more often.

Used by `python -m reference diff A B`. Evaluating more often is no other training: what only one
run evaluated is counted, and not compared.
"""

from collections.abc import Sequence

from reference.diff.link_comparators import HARD, Pair, metrics
from reference.ledger.record import Record

MOST = 64  # evaluations at one step that are looked through for the pairs that fit best


def aligned(left: Sequence[Record], right: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Pairs of the evaluations at one step, in their order; the longer side has some left over."""
    if len(left) == len(right) or max(len(left), len(right)) > MOST:
        return list(zip(left, right, strict=False))
    if len(left) > len(right):
        return [(a, b) for b, a in aligned(right, left)]
    # best[j]: the fewest differences of all of `left` so far with the first j of `right`.
    best: list[tuple[int, list[int]] | None] = [(0, [])] * (len(right) + 1)
    for one in left:
        following: list[tuple[int, list[int]] | None] = [None]
        for j, other in enumerate(right):
            before = best[j]
            taken = before and (before[0] + _apart(one, other), [*before[1], j])
            found = [way for way in (following[j], taken) if way is not None]
            following.append(min(found, key=lambda way: way[0], default=None))
        best = following
    _, places = best[-1] or (0, [])
    return [(one, right[j]) for one, j in zip(left, places, strict=True)]


def _apart(one: Record, other: Record) -> int:
    """How much speaks against these two being the same evaluation."""
    same_rows = one["metrics"].get("batches") == other["metrics"].get("batches")
    return sum(u.weight == HARD for u in metrics(Pair(one, other))) + 2 * (not same_rows)
