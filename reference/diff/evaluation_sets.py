"""Evaluations of several sets of rows: the same sets in another order, or one of them once more.

Where two runs evaluate validation and test with one model, or look at a first batch before all, no
hook tells one set from the other: they stand in one record, which names what it is made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.diff.evaluation_differences import evaluation
from reference.diff.unequal import HARD, Pair
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

# What is of the rows, and not of how they are evaluated.
OF_ROWS = frozenset(
    ("count", "batches", "rows", "inputs", "outputs", "predictions", "whole", "computed")
) | {"losses", "not_looked_into", "going_on", "again", "sets", "arguments"}


@dataclass
class Sets:
    """Which sets of one evaluation are which of the other's.

    Attributes:
        pairs: Equal ones, as evaluations of their own, in the first run's order.
        in_order: Whether that is the second run's order, too.
        side: The run that evaluates more, 0 or 1; None where neither does.
        repeats: How many of its sets begin with rows that come twice in it.
        rows: How many rows its other sets have that the other run hasn't.
    """

    pairs: list[tuple[Record, Record]] = field(default_factory=list)
    in_order: bool = True
    side: int | None = None
    repeats: int = 0
    rows: int = 0


def sets_of(pair: tuple[Record, Record]) -> Sets | None:
    """The sets of two evaluations; None where each run has one that isn't among the other's."""
    if not any("sets" in each[METRICS] for each in pair):
        return None
    ours, theirs = map(_each_set, pair)
    found, places = Sets(), []
    alone: tuple[list[int], list[int]] = ([], [])
    left = list(range(len(theirs)))
    for number, one in enumerate(ours):
        fits = next((n for n in left if _are_equal(one, theirs[n])), None)
        if fits is None:
            alone[0].append(number)
            continue
        left.remove(fits)
        places.append(fits)
        found.pairs.append((one, theirs[fits]))
    alone[1].extend(left)
    if not found.pairs or all(alone):
        return None
    found.in_order = places == sorted(places)
    for side, (sets, numbers) in enumerate(zip((ours, theirs), alone, strict=True)):
        if numbers:
            found.side = side
        for number in numbers:
            if _comes_twice(sets, number):
                found.repeats += 1
            else:
                found.rows += int(sets[number][METRICS]["count"])
    return found


def _each_set(record: Record) -> list[Record]:
    """Each as an evaluation of its own, without the scores, which are of all of them."""
    metrics = record[METRICS]
    if "sets" not in metrics:
        return [{**record, METRICS: {**metrics, "scores": {}}}]
    common = {name: value for name, value in metrics.items() if name not in OF_ROWS}
    return [{**record, METRICS: {**common, **each, "scores": {}}} for each in metrics["sets"]]


def _are_equal(one: Record, other: Record) -> bool:
    return not any(unequal.weight == HARD for unequal in evaluation(Pair(one, other)))


def _comes_twice(sets: Sequence[Record], number: int) -> bool:
    """Whether this set begins as an earlier one does, or the next one as this one."""
    return any(each[METRICS].get("again", False) for each in sets[number : number + 2])
