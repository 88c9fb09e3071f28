"""Optimizers of other parameters that step on the same gradients, taken for one.

One SGD of all parameters is two of the halves, one after the other. A ledger has a step for each
optimizer's own. Where the other run has fewer steps there, both runs' are made one: what the first
begins with, what each optimizer does to its own parameters, and what the last one leaves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reference.ledger.combined_hash import combine_listed
from reference.ledger.marks import ABSENT, NO_GROUP, is_value
from reference.ledger.reader import Item
from reference.ledger.record import Record, encode
from reference.ledger.steps import Group

# What reading a record may raise that somebody edited in a way that no check foresaw.
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)


def of_one_optimizer(record: Record) -> bool:
    """Whether it has what is put in order, and no closure that was called."""
    links = [record.get(link) for link in ("optimizer", "clip", "update", "schedule")]
    has_all = all(isinstance(link, dict) for link in links)
    return has_all and "closure_calls" not in record["clip"] and "tensors" in record["update"]


def moved(record: Record) -> frozenset[int]:
    """The places of the parameters that the optimizer moves."""
    of = str(record["optimizer"].get("of", "")).split()
    return frozenset(place for place, group in enumerate(of) if is_value(group))


def joined(groups: Sequence[Group]) -> Group | None:
    """One group for several; None where they can't be made one.

    Args:
        groups: A step, and those after it that have no pass of their own.
    """
    try:
        return _one_group(groups)
    except MALFORMED:  # somebody edited it, and the comparison says where
        return None


def _one_group(groups: Sequence[Group]) -> Group | None:
    items = [group.step for group in groups if group.step is not None]
    if len(items) < 2:
        return groups[0]
    records = [item.record for item in items]
    if not all(of_one_optimizer(record) for record in records):
        return None
    own = [moved(record) for record in records]
    if not all(own) or sum(map(len, own)) != len(frozenset().union(*own)):
        return None
    if any("tensors" in (record.get("weights") or {}) for record in records[1:]):
        return None  # something wrote them in between
    step = Item(encode(_joined(records, own)), items[0].where)
    first = groups[0]
    return Group(first.models, first.evaluations, step, None, groups[-1].where, first.broken)


def _joined(records: Sequence[Record], own: Sequence[frozenset[int]]) -> Record:
    first, last = records[0], records[-1]
    return {
        **first,
        "clip": _clip(records, own),
        "optimizer": _optimizer(records, own),
        "update": last["update"],
        "schedule": {
            name: _rates([record["schedule"][name] for record in records], records, own)
            for name in ("learning_rate", "next_learning_rate")
        },
        **({"zeroed": last["zeroed"]} if "zeroed" in last else {}),
    }


def _clip(records: Sequence[Record], own: Sequence[frozenset[int]]) -> Record:
    """What each optimizer gets of its own; of parameters of none what the first step has."""
    gradient = records[0].get("gradient") or {}
    clips = [r["clip"] if "tensors" in r["clip"] else {**gradient, **r["clip"]} for r in records]
    factors = {clip.get("factor") for clip in clips}
    tensors = _by_owner([str(clip.get("tensors", "")).split() for clip in clips], own)
    listed = " ".join(tensors)
    same = listed == gradient.get("tensors")
    record: Record = {**clips[0], "hash": combine_listed(listed), "tensors": listed}
    if all("norms" in clip for clip in clips):
        norms = _by_owner([str(clip["norms"]).split() for clip in clips], own)
        record["norms"] = " ".join(norms)
        record["norm"] = gradient.get("norm", 0.0) if same else _norm(norms)
    if len(factors) > 1:
        record["factor"] = None
    return record


def _norm(norms: Sequence[str]) -> Any:
    try:
        return sum(float(norm) ** 2 for norm in norms) ** 0.5
    except (ValueError, OverflowError):
        return 0.0


def _by_owner(lists: Sequence[Sequence[str]], own: Sequence[frozenset[int]]) -> list[str]:
    """Each place's entry of the list of its owner."""
    entries = list(lists[0])
    for each, places in zip(lists, own, strict=True):
        for place in places:
            if place < len(each):
                entries += [ABSENT] * (place + 1 - len(entries))
                entries[place] = each[place]
    return entries


def _optimizer(records: Sequence[Record], own: Sequence[frozenset[int]]) -> Record:
    optimizers = [record["optimizer"] for record in records]
    hyper: list[Any] = []
    lists = []
    for optimizer in optimizers:
        for each in optimizer["hyper"]:
            if each not in hyper:
                hyper.append(each)
        numbers = [str(hyper.index(each)) for each in optimizer["hyper"]]
        of = str(optimizer["of"]).split()
        lists.append([numbers[int(group)] if is_value(group) else group for group in of])
    how: Record = {}
    for optimizer in reversed(optimizers):
        how.update(optimizer["how"])
    joined: Record = {
        **optimizers[0],
        "class": " + ".join(dict.fromkeys(str(o["class"]) for o in optimizers)),
        "hyper": hyper,
        "of": " ".join(_by_owner(lists, own)),
        "strangers": sum(optimizer["strangers"] for optimizer in optimizers),
        "how": how,
    }
    bases = [optimizer.get("base_learning_rate") for optimizer in optimizers]
    if all(base is not None for base in bases):
        joined["base_learning_rate"] = _rates(bases, records, own)
    return joined


def _rates(
    rates: Sequence[Any], records: Sequence[Mapping[str, Any]], own: Sequence[frozenset[int]]
) -> list[Any]:
    """As a ledger has them: one where all parameters have the same, else one for each."""
    total = len(str(records[-1]["update"]["tensors"]).split())
    found: list[Any] = [NO_GROUP] * total
    for each, places in zip(rates, own, strict=True):
        for place in places:
            if each and place < total:
                found[place] = each[0] if len(each) == 1 else each[place]
    distinct = {rate for rate in found if is_value(rate)}
    return list(distinct) if len(distinct) < 2 else found
