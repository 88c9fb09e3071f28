"""Learning rates of two runs, compared for each parameter that has one in both.

Used by `python -m reference diff A B`. A rate is the schedule's work at the step before, if the
optimizer moved that parameter before; else it is the optimizer's own, or the schedule's first.
"""

from collections.abc import Sequence
from typing import Any

from reference.diff.link_comparators import RateDifference, Unequal
from reference.ledger.record import Record
from reference.messages import plain

Each = dict[int, tuple[Any, Any]]  # a parameter's place -> both rates; one for all of them is at -1


class Rates:
    """Which parameters each optimizer has moved so far, and when it last did."""

    def __init__(self) -> None:
        self._last_step: dict[int, int] = {}  # an optimizer -> the last step that it made
        self._moved: dict[int, set[int]] = {}  # an optimizer -> the places of what it moved
        self._same_next: dict[int, bool] = {}  # an optimizer -> whether its next rates were equal
        self._seen: dict[int, str] = {}  # an optimizer -> which parameters it moved last

    def unequal(
        self, a: Record, b: Record, step: int, names: Sequence[str]
    ) -> RateDifference | None:
        """Where the rates part, looking from `step` on both records."""
        each = _each(a, b, "schedule", "learning_rate")
        differing = [place for place, (x, y) in each.items() if x != y]
        if not differing:
            return None
        index = a.get("optimizer", {}).get("index", 0)
        moved = self._moved.get(index, set())
        earlier = [place for place in differing if place in moved or (place < 0 and moved)]
        # Where both stood alike when this step began, nothing before it is unequal.
        if earlier and not self._same_next[index]:
            unequal = _shown("schedule", "next_learning_rate", each, earlier, names)
            return RateDifference(self._last_step[index], unequal)
        base = _each(a, b, "optimizer", "base_learning_rate")
        same = all(place in base and base[place][0] == base[place][1] for place in differing)
        link = "schedule" if same else "optimizer"
        return RateDifference(step, _shown(link, "learning_rate", each, differing, names))

    def remember(self, a: Record, step: int, *, same: bool) -> None:
        """`same`: both runs' rates were equal when the next step began."""
        optimizer = a.get("optimizer") or {}
        index, of = optimizer.get("index", 0), optimizer.get("of", "")
        self._last_step[index], self._same_next[index] = step, same
        if self._seen.get(index) != of:
            self._seen[index] = of
            moved = self._moved.setdefault(index, {-1})
            moved.update(i for i, group in enumerate(of.split()) if group not in ("-", "x"))


def _each(a: Record, b: Record, link: str, name: str) -> Each:
    """Both rates of each parameter that has one in both; just one pair where one is for all."""
    x, y = ((r.get(link) or {}).get(name) or [] for r in (a, b))
    if not x or not y:
        return {}
    if len(x) == len(y) == 1:
        return {-1: (x[0], y[0])}
    ofs = [str((r.get("optimizer") or {}).get("of", "")).split() for r in (a, b)]
    left, right = (_spread(rates, of) for rates, of in zip((x, y), ofs, strict=True))
    return {place: (left[place], right[place]) for place in left.keys() & right.keys()}


def _spread(rates: Sequence[Any], of: Sequence[str]) -> dict[int, Any]:
    if len(rates) == 1:
        return {i: rates[0] for i, group in enumerate(of) if group not in ("-", "x")}
    return {i: rate for i, rate in enumerate(rates) if rate not in ("-", "x")}


def _shown(
    link: str, field: str, each: Each, differing: list[int], names: Sequence[str]
) -> Unequal:
    first = min(differing)
    if first >= 0:
        name = plain(names[first]) if first < len(names) else f"parameter {first + 1}"
        field += f" ({len(differing)} of {len(names)} parameters, first {name})"
    return Unequal(link, field, *each[first])
