"""What is unequal in two evaluations: their rows, what they were made with, and what came out.

Two evaluations of the same rows in other batches give other bits, with nothing wrong. Then what
came out is compared by its predictions, and by its sum, its norm and a few sums with signs, which
tell rows apart: within PRECISELY_NEAR, or NEAR. What went in is compared to the bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reference.diff.unequal import COUNT, HARD, NOTE, Pair, Unequal
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

# How far sum and norm of what comes out may move because of other batches, as a share of the norm.
# Seen with a BERT of 2 layers of 64, 64 rows in batches of 1, 8 and 64 (torch 2.13, CPU): 9e-8 in
# float32, 7e-4 in bfloat16 (tests/diff/test_other_batches.py -s); once, with 6 layers of 384 and
# 408 rows, 7e-7 and 2.6e-3. A float32 may have been a bfloat16 within, unless a ledger says that
# all was computed in float32 or better.
NEAR = 1e-2
PRECISELY_NEAR = 1e-4
ROWS = "rows of "  # before an input's name
WEIGHTS = "weights it is made with"
GOING_ON = "passes that go on from the one before"
OTHER_ROWS = "the rows have different values, or each other's"
OF_A_BATCH = " a batch"  # how a form ends that isn't of rows


def evaluation(pair: Pair) -> Iterator[Unequal]:
    """The fields that are unequal, causes before effects."""
    left, right = with_padding(pair.left[METRICS], pair.right[METRICS])
    if left["count"] != right["count"]:
        yield Unequal(METRICS, COUNT, left["count"], right["count"])
    same_batches = left.get("batches") == right.get("batches")
    effects = list(_effects(left, right, same_batches=same_batches))
    for cause in _causes(left, right):
        yield cause if effects or not same_batches else replace(cause, weight=NOTE)
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


def _are_same(left: Record, right: Record) -> bool:
    return [x[:2] for x in left.values()] == [y[:2] for y in right.values()]


def _with(metrics: Record, whole: Record) -> Record:
    both = {name: {**metrics[name], **whole[name]} for name in ("inputs", "outputs")}
    return {**metrics, **both, "predictions": whole["predictions"]}


def _causes(left: Record, right: Record) -> Iterator[Unequal]:
    ours, theirs = left["inputs"], right["inputs"]
    other_batches = left.get("batches") != right.get("batches")
    computed = {*left.get("computed", ()), *right.get("computed", ())}
    shared = sorted(ours.keys() & theirs.keys())
    for name in shared:
        x, y = ours[name], theirs[name]
        if other_batches and name in computed:
            yield from _of_other_batches(f"{ROWS}{name}", x, y, _near(left, right))
        elif x[:2] != y[:2] and not (other_batches and _is_by_batch(x, y)):
            yield Unequal(METRICS, f"{ROWS}{name}", *_shown(x, y))
    if not shared and ours and theirs:  # by other names
        hashes = [{tuple(x[:2]) for x in each.values()} for each in (ours, theirs)]
        if not hashes[0] & hashes[1]:
            names = ", ".join(sorted(ours)), ", ".join(sorted(theirs))
            first = next(iter(ours.values())), next(iter(theirs.values()))
            if not (other_batches and _is_by_batch(*first)):
                yield Unequal(METRICS, f"{ROWS}{names[0]} or {names[1]}", *_shown(*first))
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
            yield from _of_other_batches(name, x, y, _near(left, right))
        elif x[:2] != y[:2]:
            yield Unequal(METRICS, name, *_shown(x, y))
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


def _near(left: Record, right: Record) -> float:
    """How far other batches may move what comes out."""
    precise = left.get("precise") and right.get("precise")
    return PRECISELY_NEAR if precise else NEAR


def _shown(x: list[Any], y: list[Any]) -> tuple[Any, Any]:
    """Their forms where these differ, or else their hashes."""
    return (x[1], y[1]) if x[1] != y[1] else (x[0], y[0])


def _is_by_batch(*described: list[Any]) -> bool:
    """Whether any of them is hashed by the batch: in other batches it can't be compared."""
    return any(str(each[1]).endswith(OF_A_BATCH) for each in described)


def _of_other_batches(name: str, x: list[Any], y: list[Any], near: float) -> Iterator[Unequal]:
    """An output of the same rows in other batches: whole numbers to the bit, others nearly."""
    if _is_by_batch(x, y):
        return
    kinds = [str(each[1]).split()[0] for each in (x, y)]
    if kinds[0] != kinds[1] or min(len(x), len(y)) < 4:
        if kinds[0] != kinds[1] or x[0] != y[0]:
            yield Unequal(METRICS, name, *_shown(x, y))
        return
    pairs = [(float(v), float(w)) for v, w in zip(x[2:], y[2:], strict=False)]
    allowed = near * max(pairs[1])
    if x[2:4] != y[2:4] and not all(abs(v - w) <= allowed for v, w in pairs[:2]):
        yield Unequal(METRICS, f"{name}, sum and norm", str(x[2:4]), str(y[2:4]))
    elif any(abs(v - w) > allowed for v, w in pairs[2:]):
        yield Unequal(METRICS, f"{name} in different batches", *_shown(x, y), words=OTHER_ROWS)
