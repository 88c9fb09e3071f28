"""What is unequal in two optimizers: what each does to each parameter, however it is grouped."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from reference.diff.unequal import HARD, IN_NO_GROUP, NOTE, SOFT, Pair, Share, Things, Unequal
from reference.ledger.marks import NO_GROUP
from reference.ledger.record import Record


def optimizer(pair: Pair) -> Iterator[Unequal]:
    """Hyper-parameters of each parameter; class and way of computing only if the update differs.

    The learning rates are part of it where they part in the optimizer's own, before any schedule.
    """
    left, right = pair.left["optimizer"], pair.right["optimizer"]
    for field in ("index", "class"):
        if left[field] != right[field]:
            yield Unequal("optimizer", field, left[field], right[field], SOFT)
    for field in sorted({*left["how"], *right["how"]}):
        values = left["how"].get(field), right["how"].get(field)
        if values[0] != values[1]:
            yield Unequal("optimizer", field, *values, SOFT)
    if left["strangers"] != right["strangers"]:
        counts = left["strangers"], right["strangers"]
        yield Unequal("optimizer", "parameters of another model", *counts, NOTE)
    if (left["hyper"], left["of"]) != (right["hyper"], right["of"]):
        yield from _hyper_parameters(left, right, pair.names)
    if "beside" in left and "beside" in right and left["beside"] != right["beside"]:
        yield from _groups_of_no_model(left["beside"], right["beside"])
    if pair.rate is not None and pair.rate.unequal.link == "optimizer":
        yield pair.rate.unequal


def _hyper_parameters(left: Record, right: Record, names: Sequence[str]) -> Iterator[Unequal]:
    """The first parameter for which each hyper-parameter differs, and for how many it does."""
    firsts: dict[str, Unequal] = {}
    counts: dict[str, int] = {}
    places = zip(names, left["of"].split(), right["of"].split(), strict=False)
    for name, group, other_group in places:
        if group == other_group and left["hyper"] == right["hyper"]:
            continue
        for unequal in _of_parameter(name, left, right, group, other_group):
            firsts.setdefault(unequal.field, unequal)
            counts[unequal.field] = counts.get(unequal.field, 0) + 1
    for field, first in firsts.items():
        all_of_them = counts[field] == len(names)
        share = None if all_of_them else Share(counts[field], len(names), Things.PARAMETERS)
        yield replace(first, share=share)


def _of_parameter(
    name: str, left: Record, right: Record, group: str, other_group: str
) -> Iterator[Unequal]:
    """What is unequal for one parameter.

    Args:
        name: Of the parameter.
        left: The first run's optimizer.
        right: The second run's.
        group: The number of its set of hyper-parameters in the first run, or a mark.
        other_group: The same in the second run.
    """
    if not (group.isdigit() and other_group.isdigit()):
        if group != other_group and NO_GROUP in (group, other_group):
            in_none = group == NO_GROUP, other_group == NO_GROUP
            yield Unequal("optimizer", IN_NO_GROUP, *in_none, tensor=name)
        return
    ours, theirs = left["hyper"][int(group)], right["hyper"][int(other_group)]
    for field in sorted({*ours, *theirs}):
        if ours.get(field) != theirs.get(field):
            weight = HARD if field in ours and field in theirs else SOFT
            yield Unequal("optimizer", field, ours.get(field), theirs.get(field), weight)


def _groups_of_no_model(left: Any, right: Any) -> Iterator[Unequal]:
    """The groups of parameters of no known model, in their order, as older ledgers have them."""
    where = "of a parameter of no model"
    if len(left) != len(right):
        yield Unequal("optimizer", f"groups {where}", len(left), len(right))
    for ours, theirs in zip(left, right, strict=False):
        for field in sorted({*ours, *theirs}):
            values = ours.get(field), theirs.get(field)
            if values[0] != values[1]:
                yield Unequal("optimizer", f"{field} {where}", *values)
