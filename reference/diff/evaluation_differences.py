"""What is unequal in two evaluations: their rows, what they were made with, and what came out.

Two evaluations of the same rows in other batches give other bits, with nothing wrong. Then what
came out is compared by its predictions, and its sum and norm within NEAR; what went in, to the bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reference.diff.unequal import COUNT, HARD, NOTE, Pair, Unequal
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

# How far sum and norm of what comes out may move because of other batches, as a share of the norm.
# Seen with BERTs of 2 layers of 64 and 6 of 384, 408 rows in batches of 1, 8, 64 and 408
# (torch 2.13, CPU): 7e-7 in float32, 2.6e-3 in bfloat16. A float32 may have been a bfloat16 within.
NEAR = 1e-2
ROWS = "rows of "  # before an input's name
WEIGHTS = "weights it is made with"
OF_A_BATCH = " a batch"  # how a form ends that isn't of rows


def evaluation(pair: Pair) -> Iterator[Unequal]:
    """The fields that are unequal, causes before effects."""
    left, right = pair.left[METRICS], pair.right[METRICS]
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


def _causes(left: Record, right: Record) -> Iterator[Unequal]:
    ours, theirs = left["inputs"], right["inputs"]
    for name in sorted(ours.keys() & theirs.keys()):
        x, y = ours[name], theirs[name]
        if x[:2] != y[:2] and not _is_of_other_batches(x, y, left, right):
            yield Unequal(METRICS, f"{ROWS}{name}", *_shown(x, y))
    if left.get("weights") != right.get("weights"):
        yield Unequal(METRICS, WEIGHTS, left.get("weights"), right.get("weights"))


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
        if same_batches:
            if x[:2] != y[:2]:
                yield Unequal(METRICS, name, *_shown(x, y))
        elif not _is_near(x, y):
            yield _far(name, x, y)


def _far(name: str, x: list[Any], y: list[Any]) -> Unequal:
    if len(x) < 4 or len(y) < 4 or str(x[1]).split()[0] != str(y[1]).split()[0]:
        return Unequal(METRICS, name, *_shown(x, y))
    return Unequal(METRICS, f"{name}, sum and norm", str(x[2:4]), str(y[2:4]))


def _shown(x: list[Any], y: list[Any]) -> tuple[Any, Any]:
    """Their forms where these differ, or else their hashes."""
    return (x[1], y[1]) if x[1] != y[1] else (x[0], y[0])


def _is_of_other_batches(x: list[Any], y: list[Any], left: Record, right: Record) -> bool:
    """Whether either is hashed by the batch, and the batches are others: it can't be compared."""
    by_batch = any(str(each[1]).endswith(OF_A_BATCH) for each in (x, y))
    return by_batch and left.get("batches") != right.get("batches")


def _is_near(x: list[Any], y: list[Any]) -> bool:
    """Whether two outputs of other batches may be the same rows': whole numbers to the bit."""
    if any(str(each[1]).endswith(OF_A_BATCH) for each in (x, y)):
        return True  # it can't be told
    if str(x[1]).split()[0] != str(y[1]).split()[0]:
        return False  # of two types
    if len(x) < 4 or len(y) < 4:
        return bool(x[0] == y[0])
    (total, norm), (other_total, other_norm) = ([float(v) for v in each[2:4]] for each in (x, y))
    if x[2:4] == y[2:4]:
        return True
    allowed = NEAR * max(norm, other_norm)
    return abs(total - other_total) <= allowed and abs(norm - other_norm) <= allowed
