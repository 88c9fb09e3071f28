"""What is unequal in two evaluations: their rows, what they were made with, and what came out.

Two evaluations of the same rows in other batches give other bits, with nothing wrong. Then what
came out is compared by its predictions, and as `evaluation_batches.py` does. What went in is
compared to the bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reference.diff.evaluation_batches import (
    is_by_batch,
    is_compared,
    is_hashed_in_two_ways,
    near,
    of_other_batches,
    shown,
)
from reference.diff.unequal import COUNT, HARD, NOTE, Pair, Unequal
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

ROWS = "rows of "  # before an input's name
WEIGHTS = "weights it is made with"
LENGTHS = "where rows begin and end"
GOING_ON = "passes that go on from the one before"


def evaluation(pair: Pair) -> Iterator[Unequal]:
    """The fields that are unequal, causes before effects."""
    left, right = with_padding(pair.left[METRICS], pair.right[METRICS])
    if left["count"] != right["count"]:
        yield Unequal(METRICS, COUNT, left["count"], right["count"])
    same_batches = left.get("batches") == right.get("batches")
    effects = list(_effects(left, right, same_batches=same_batches))
    for cause in _causes(left, right):
        # Other weights that give the same are none; other rows are, as labels that only a script's
        # own metric looks at.
        matters = effects or not same_batches or cause.field != WEIGHTS
        yield cause if matters else replace(cause, weight=NOTE)
    if left["count"] == right["count"] and _are_cut_otherwise(left, right):
        # Where models give the same for each position, the rows are others all the same.
        yield Unequal(METRICS, LENGTHS, left["rows"], right["rows"])
    for mode in ("training", "autocast"):
        if left.get(mode) != right.get(mode):
            # In other batches nobody can tell whether autocast moved the bits.
            hard = effects or (mode == "autocast" and not same_batches)
            weight = HARD if hard else NOTE
            yield Unequal(METRICS, mode, left.get(mode), right.get(mode), weight)
    yield from effects
    scores, other_scores = left["scores"], right["scores"]
    for name in sorted(scores.keys() & other_scores.keys()):
        if scores[name] != other_scores[name]:
            yield Unequal(METRICS, name, scores[name], other_scores[name])


def with_padding(left: Record, right: Record) -> tuple[Record, Record]:
    """Two evaluations; where no mask says what is padding, and both have the same, with it.

    What ends a row may be the row's own zeros, and what comes out there may be unequal.
    """
    ours, theirs = left.get("whole"), right.get("whole")
    if not ours or not theirs or not _are_same(ours["inputs"], theirs["inputs"]):
        return left, right
    return _with(left, ours), _with(right, theirs)


def is_padded_otherwise(left: Record, right: Record) -> bool:
    """Whether two equal evaluations end their rows otherwise, with no mask that says why."""
    if left.get("whole") is None and right.get("whole") is None:
        return False
    ours, theirs = ((each.get("whole") or each)["inputs"] for each in (left, right))
    return not _are_same(ours, theirs)


def is_shifted(left: Record, right: Record) -> bool:
    """Whether two equal evaluations have the same batches, and rows that stand elsewhere in them.

    They are padded at another side, or these zeros are their own: nobody says it.
    """
    same_batches = left.get("batches") == right.get("batches")
    return "outputs" in left and same_batches and is_padded_otherwise(left, right)


def _are_same(left: Record, right: Record) -> bool:
    return [x[:2] for x in left.values()] == [y[:2] for y in right.values()]


def _with(metrics: Record, whole: Record) -> Record:
    both = {name: {**metrics[name], **whole[name]} for name in ("inputs", "outputs")}
    return {**metrics, **both, "predictions": whole["predictions"]}


def _are_cut_otherwise(left: Record, right: Record) -> bool:
    """Whether rows of the same values are of other lengths; schema 2 didn't say."""
    if "rows" not in left or "rows" not in right or left["rows"] == right["rows"]:
        return False
    ours, theirs = left["inputs"], right["inputs"]
    return ours.keys() == theirs.keys() and _are_same(ours, theirs)


def _is_comparable(name: str, left: Record, right: Record) -> bool:
    """Whether an input's hash must be the same in both.

    Targets of a loss that goes by the batch do, too: which text of a batch is the right one.
    """
    x, y = left["inputs"][name], right["inputs"][name]
    if is_hashed_in_two_ways(x, y):
        return False
    if left.get("batches") == right.get("batches"):
        return True
    return not is_by_batch(x, y) and not _is_of_batches(name, left, right)


def _is_of_batches(name: str, left: Record, right: Record) -> bool:
    """Whether it is of a loss that goes by the batch: something of it is as wide as that is."""
    losses = {*left.get("losses", ()), *right.get("losses", ())}
    loss = next((each for each in losses if f"{name}.".startswith(f"{each}.")), None)
    if loss is None:
        return False
    both = ({**each["inputs"], **each["outputs"]} for each in (left, right))
    given = [(x, y) for each, x, y in _of_both(*both) if each.startswith(f"{loss}.")]
    return any(is_by_batch(x, y) or x[1] != y[1] for x, y in given)


def _causes(left: Record, right: Record) -> Iterator[Unequal]:
    ours, theirs = left["inputs"], right["inputs"]
    other_batches = left.get("batches") != right.get("batches")
    computed = {*left.get("computed", ()), *right.get("computed", ())}
    shared = sorted(ours.keys() & theirs.keys())
    for name in shared:
        x, y = ours[name], theirs[name]
        if other_batches and name in computed:
            if _is_of_batches(name, left, right):
                continue
            yield from of_other_batches(f"{ROWS}{name}", x, y, near(left, right))
        elif x[:2] != y[:2] and _is_comparable(name, left, right):
            yield Unequal(METRICS, f"{ROWS}{name}", *shown(x, y))
    if not shared and ours and theirs:  # by other names
        hashes = [{tuple(x[:2]) for x in each.values()} for each in (ours, theirs)]
        if not hashes[0] & hashes[1]:
            names = ", ".join(sorted(ours)), ", ".join(sorted(theirs))
            first = next(iter(ours.values())), next(iter(theirs.values()))
            if not (other_batches and is_by_batch(*first)):
                yield Unequal(METRICS, f"{ROWS}{names[0]} or {names[1]}", *shown(*first))
    field = "held" if "held" in left and "held" in right else "weights"
    if left.get(field) != right.get(field) and field in left and field in right:
        yield Unequal(METRICS, WEIGHTS, left[field], right[field])


def _effects(left: Record, right: Record, *, same_batches: bool) -> Iterator[Unequal]:
    if left["predictions"] != right["predictions"]:
        yield Unequal(METRICS, "predictions", left["predictions"], right["predictions"])
    ours, theirs = left["outputs"], right["outputs"]
    shared = sorted(ours.keys() & theirs.keys())
    if not shared and ours and theirs:
        hashes = [{x[0] for x in each.values()} for each in (ours, theirs)]
        if same_batches and not hashes[0] & hashes[1]:
            yield Unequal(METRICS, "outputs", ", ".join(sorted(ours)), ", ".join(sorted(theirs)))
    for name in shared:
        x, y = ours[name], theirs[name]
        if not same_batches:
            if _is_of_batches(name, left, right):
                continue
            yield from of_other_batches(name, x, y, near(left, right))
        elif x[:2] != y[:2] and not is_hashed_in_two_ways(x, y):
            yield Unequal(METRICS, name, *shown(x, y))
    yield from _going_on(left.get("going_on"), right.get("going_on"), same_batches=same_batches)


def _going_on(
    left: Record | None, right: Record | None, *, same_batches: bool
) -> Iterator[Unequal]:
    """Passes that go on from the one before: how many follow each other, and what they give."""
    ours, theirs = (0 if each is None else int(each["longest"]) for each in (left, right))
    if ours != theirs:
        yield Unequal(METRICS, f"{GOING_ON}, at most", ours, theirs)
    elif left and right and same_batches and left["shapes"] == right["shapes"]:
        hashes = left["hash"], right["hash"]
        if hashes[0] != hashes[1]:
            yield Unequal(METRICS, GOING_ON, *hashes)


def goes_on_otherwise(left: Record, right: Record) -> bool:
    """Whether two equal evaluations go on from pass to pass in other batches, or other shapes."""
    ours, theirs = left.get("going_on"), right.get("going_on")
    if not ours or not theirs:
        return False
    return left.get("batches") != right.get("batches") or ours["shapes"] != theirs["shapes"]


def left_out(left: Record, right: Record) -> list[str]:
    """What of two equal evaluations in other batches can't be compared, by its name."""
    left, right = with_padding(left, right)
    if left.get("batches") == right.get("batches"):
        pairs = [*_of_both(left["inputs"], right["inputs"])]
        pairs += _of_both(left["outputs"], right["outputs"])
        return [name for name, x, y in pairs if is_hashed_in_two_ways(x, y)]
    computed = {*left.get("computed", ()), *right.get("computed", ())}
    names = []
    for name, x, y in _of_both(left["inputs"], right["inputs"]):
        compared = is_compared(x, y) if name in computed else _is_comparable(name, left, right)
        compared = compared and not _is_of_batches(name, left, right)
        names += [] if compared or x[:2] == y[:2] else [f"{ROWS}{name}"]
    ours, theirs = left["outputs"], right["outputs"]
    for name, x, y in _of_both(ours, theirs):
        compared = is_compared(x, y) and not _is_of_batches(name, left, right)
        names += [] if compared or x[:2] == y[:2] else [name]
    return names if ours.keys() & theirs.keys() else [*names, *sorted({*ours, *theirs})]


def _of_both(ours: Record, theirs: Record) -> Iterator[tuple[str, list[Any], list[Any]]]:
    for name in sorted(ours.keys() & theirs.keys()):
        yield name, ours[name], theirs[name]
