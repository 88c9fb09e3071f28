"""Several optimizers that step on the same gradients: in which order is no difference by itself.

Each step of an optimizer is one of the ledger's. Where two optimizers move other parameters, and
step one after another with no pass between, either may be first. Such steps are put into the first
run's order, each with only what its own optimizer gets and makes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest

from reference.diff.joined_optimizers import joined, moved, of_one_optimizer
from reference.ledger.combined_hash import combine_listed
from reference.ledger.marks import ABSENT
from reference.ledger.reader import Item
from reference.ledger.record import Record, encode
from reference.ledger.steps import Group

MOST = 16  # steps on the same gradients that are held at once
WITHOUT_PASS = b'"batch":[],"rng":{}'  # in the line of a step that has no pass of its own

Pairs = Iterator[tuple[Group, Group]]


def in_one_order(left: Iterable[Group], right: Iterable[Group]) -> Pairs:
    """Both runs' groups side by side; where one run ends before the other, beside empty ones."""
    ours, theirs = _together(left), _together(right)
    nothing: list[Group] = []
    before: list[Item | None] = [None, None]  # the last steps of both
    fewer = [0, 0]  # steps than the ledger has, since several were taken for one
    for x, y in zip_longest(ours, theirs, fillvalue=nothing):
        _renumber(x, fewer[0])
        _renumber(y, fewer[1])
        if len(x) != len(y) and x and y:
            ours_joined, theirs_joined = joined(x), joined(y)
            if ours_joined is not None and theirs_joined is not None:
                fewer = [n + len(side) - 1 for n, side in zip(fewer, (x, y), strict=True)]
                x, y = [ours_joined], [theirs_joined]
        if len(x) != len(y):
            rest = chain(x, *ours), chain(y, *theirs)
            yield from zip_longest(*rest, fillvalue=Group())
            return
        if len(x) > 1:
            _put_in_order(x, y, before)
        before = [side[-1].step if side else None for side in (x, y)]
        yield from zip(x, y, strict=True)


def _renumber(groups: Sequence[Group], fewer: int) -> None:
    """Evaluations come after as many steps as are compared."""
    for group in groups if fewer else ():
        group.evaluations = [{**e, "step": e["step"] - fewer} for e in group.evaluations]


def _together(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """Each step with those after it that have no pass of their own."""
    waiting: list[Group] = []
    for group in groups:
        if waiting and not (_has_no_pass(group) and len(waiting) < MOST):
            yield waiting
            waiting = []
        waiting.append(group)
    if waiting:
        yield waiting


def _has_no_pass(group: Group) -> bool:
    alone = not (group.models or group.evaluations or group.end)
    return alone and group.step is not None and WITHOUT_PASS in group.step.line


def _put_in_order(
    left: Sequence[Group], right: Sequence[Group], before: Sequence[Item | None]
) -> None:
    """Replaces the steps of both, if the same optimizers step in another order.

    Args:
        left: The first run's steps on the same gradients.
        right: The second run's.
        before: The step before of either run, to which their weights may refer.
    """
    items = [[g.step for g in side if g.step is not None] for side in (left, right)]
    if [item.line for item in items[0]] == [item.line for item in items[1]]:
        return
    ours, theirs = ([item.record for item in side] for side in items)
    if not all(of_one_optimizer(record) for record in (*ours, *theirs)):
        return
    ours_moved, also_moved = ([moved(record) for record in side] for side in (ours, theirs))
    together = frozenset().union(*ours_moved)
    disjoint = sum(map(len, ours_moved)) == len(together) and all(ours_moved)
    if ours_moved == also_moved or not disjoint or set(ours_moved) != set(also_moved):
        return
    order = [also_moved.index(places) for places in ours_moved]
    indices = [each["optimizer"]["index"] for each in ours]
    runs = (left, ours, range(len(ours)), before[0]), (right, theirs, order, before[1])
    for groups, records, places, last in runs:
        weights = _weights(records, last.record if last is not None else {})
        ordered = _in_order(records, places, indices, weights)
        for group, record in zip(groups, ordered, strict=True):
            group.step = Item(encode(record), group.where)


def _in_order(
    records: Sequence[Record],
    places: Sequence[int],
    indices: Sequence[int],
    weights: Sequence[Sequence[str]],
) -> list[Record]:
    """The steps with their optimizers in this order.

    Args:
        records: The steps of one run.
        places: Where in the run each optimizer stepped.
        indices: The number that each is given.
        weights: Of each step as it was made, the tensors before it.
    """
    ordered: list[Record] = []
    first = records[0].get("gradient") or {}
    for here, there, index in zip(records, places, indices, strict=True):
        other = records[there]
        own = moved(other)
        clip = other["clip"] if "tensors" in other["clip"] else {**first, **other["clip"]}
        is_last = len(ordered) == len(records) - 1
        update = here["update"] if is_last else _only(other["update"], own)
        changed: Record = {
            **here,
            "optimizer": {**other["optimizer"], "index": index, "of": _kept(other, own)},
            "clip": {**_only(clip, own), "norm": 0.0, "factor": None},
            "update": {**update, **_buffers(here["update"])},
            "schedule": other["schedule"],
        }
        if "weights" in here:
            others = ordered[-1]["update"]["tensors"].split() if ordered else weights[0]
            own_weights = _replaced(others, weights[there], own)
            # What the step before left is referred to, and not repeated.
            if ordered or own_weights != list(weights[0]):
                tensors = " ".join(own_weights)
                of_weights = {"hash": combine_listed(tensors), "tensors": tensors}
                changed["weights"] = {**here["weights"], **of_weights}
        ordered.append(changed)
    return ordered


def _kept(record: Record, own: frozenset[int]) -> str:
    of = str(record["optimizer"]["of"]).split()
    return " ".join(group if place in own else ABSENT for place, group in enumerate(of))


def _only(link: Record, own: frozenset[int]) -> Record:
    """Hash and tensors of a link, of these places alone."""
    entries = str(link.get("tensors", "")).split()
    tensors = " ".join(e if place in own else ABSENT for place, e in enumerate(entries))
    return {"hash": combine_listed(tensors), "tensors": tensors}


def _buffers(link: Record) -> Record:
    return {"buffers": link["buffers"]} if "buffers" in link else {}


def _weights(records: Sequence[Record], before: Record) -> list[list[str]]:
    """The tensors before each step; where it lists none, what the update before it left."""
    known: list[list[str]] = []
    for record in records:
        tensors = (record.get("weights") or {}).get("tensors")
        known.append(str(tensors or (before.get("update") or {}).get("tensors", "")).split())
        before = record
    return known


def _replaced(tensors: Sequence[str], by: Sequence[str], own: frozenset[int]) -> list[str]:
    """The tensors, with others at these places."""
    return [
        by[place] if place in own and place < len(by) else tensor
        for place, tensor in enumerate(tensors)
    ]
