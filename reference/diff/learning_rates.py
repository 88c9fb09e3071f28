"""Learning rates of two runs, compared for each parameter that has one in both.

A rate is the schedule's work at the step before, if the optimizer moved that parameter before; else
it is the optimizer's own, or the schedule's first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reference.diff.unequal import RateDifference, Share, Things, Unequal
from reference.ledger.marks import is_value
from reference.ledger.record import Record

ALL = -1  # in the place of a parameter's place: one rate for all of them
RatePairs = Mapping[int, tuple[Any, Any]]  # a parameter's place -> both rates


class Rates:
    """Which parameters each optimizer has moved so far, and when it last did."""

    def __init__(self) -> None:
        self._last_step: dict[int, int] = {}  # an optimizer -> the last step that it made
        self._moved: dict[int, set[int]] = {}  # an optimizer -> the places of what it moved
        self._same_next: dict[int, bool] = {}  # an optimizer -> whether its next rates were equal
        self._last_groups: dict[int, str] = {}  # an optimizer -> which parameters it moved last

    def difference(
        self, left: Record, right: Record, step: int, names: Sequence[str]
    ) -> RateDifference | None:
        """Where the learning rates part, as far as these records tell.

        Args:
            left: The first run's record of the step.
            right: The second run's.
            step: Its number, from 1.
            names: Of the parameters that both runs have, by their places.

        Returns:
            The step and what is unequal in it; None where the rates are equal.
        """
        pairs = _pairs(left, right, "schedule", "learning_rate")
        differing = [place for place, (x, y) in pairs.items() if x != y]
        if not differing:
            return None
        index = left.get("optimizer", {}).get("index", 0)
        moved = self._moved.get(index, set())
        earlier = [place for place in differing if place in moved or (place == ALL and moved)]
        # Where the rates were equal when this step began, nothing before it is unequal.
        if earlier and not self._same_next[index]:
            unequal = _unequal("schedule", "next_learning_rate", pairs, earlier, names)
            return RateDifference(self._last_step[index], unequal)
        base = _pairs(left, right, "optimizer", "base_learning_rate")
        same_base = all(place in base and base[place][0] == base[place][1] for place in differing)
        link = "schedule" if same_base else "optimizer"
        return RateDifference(step, _unequal(link, "learning_rate", pairs, differing, names))

    def remember(self, record: Record, step: int, *, same: bool) -> None:
        """Notes what an equal step moved.

        Args:
            record: The first run's record of the step.
            step: Its number, from 1.
            same: Both runs' rates were equal when the next step began.
        """
        optimizer = record.get("optimizer") or {}
        index, groups = optimizer.get("index", 0), optimizer.get("of", "")
        self._last_step[index], self._same_next[index] = step, same
        if self._last_groups.get(index) != groups:
            self._last_groups[index] = groups
            moved = self._moved.setdefault(index, {ALL})
            moved.update(i for i, group in enumerate(groups.split()) if is_value(group))


def next_rates(record: Record) -> object:
    """The rates that stand when the step after this one begins."""
    return (record.get("schedule") or {}).get("next_learning_rate")


def _pairs(left: Record, right: Record, link: str, field: str) -> RatePairs:
    """Both rates of each parameter that has one in both; just one pair where one is for all."""
    lists = [(record.get(link) or {}).get(field) or [] for record in (left, right)]
    if not all(lists):
        return {}
    if len(lists[0]) == len(lists[1]) == 1:
        return {ALL: (lists[0][0], lists[1][0])}
    of = [str((r.get("optimizer") or {}).get("of", "")).split() for r in (left, right)]
    ours, theirs = (_by_place(rates, groups) for rates, groups in zip(lists, of, strict=True))
    return {place: (ours[place], theirs[place]) for place in ours.keys() & theirs.keys()}


def _by_place(rates: Sequence[Any], groups: Sequence[str]) -> dict[int, Any]:
    if len(rates) == 1:
        return {place: rates[0] for place, group in enumerate(groups) if is_value(group)}
    return {place: rate for place, rate in enumerate(rates) if is_value(rate)}


def _unequal(
    link: str, field: str, pairs: RatePairs, differing: list[int], names: Sequence[str]
) -> Unequal:
    first = min(differing)
    if first == ALL:
        return Unequal(link, field, *pairs[first])
    name = names[first] if first < len(names) else f"parameter {first + 1}"
    share = Share(len(differing), len(names), Things.PARAMETERS)
    return Unequal(link, field, *pairs[first], tensor=name, share=share)
