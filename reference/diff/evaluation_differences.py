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
# Seen with a BERT of 2 layers of 64, 64 rows in batches of 1, 8 and 64 (torch 2.13, CPU): 9e-8 in
# float32, 7e-4 in bfloat16 (tests/diff/test_other_batches.py -s); once, with 6 layers of 384 and
# 408 rows, 7e-7 and 2.6e-3. A float32 may have been a bfloat16 within.
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
    other_batches = left.get("batches") != right.get("batches")
    for name in sorted(ours.keys() & theirs.keys()):
        x, y = ours[name], theirs[name]
        if x[:2] != y[:2] and not (other_batches and _is_by_batch(x, y)):
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
        if not same_batches:
            yield from _of_other_batches(name, x, y)
        elif x[:2] != y[:2]:
            yield Unequal(METRICS, name, *_shown(x, y))


def _shown(x: list[Any], y: list[Any]) -> tuple[Any, Any]:
    """Their forms where these differ, or else their hashes."""
    return (x[1], y[1]) if x[1] != y[1] else (x[0], y[0])


def _is_by_batch(*described: list[Any]) -> bool:
    """Whether any of them is hashed by the batch: in other batches it can't be compared."""
    return any(str(each[1]).endswith(OF_A_BATCH) for each in described)


def _of_other_batches(name: str, x: list[Any], y: list[Any]) -> Iterator[Unequal]:
    """An output of the same rows in other batches: whole numbers to the bit, others by NEAR."""
    if _is_by_batch(x, y):
        return
    kinds = [str(each[1]).split()[0] for each in (x, y)]
    if kinds[0] != kinds[1] or min(len(x), len(y)) < 4:
        if kinds[0] != kinds[1] or x[0] != y[0]:
            yield Unequal(METRICS, name, *_shown(x, y))
        return
    (total, norm), (other_total, other_norm) = ([float(v) for v in each[2:4]] for each in (x, y))
    allowed = NEAR * max(norm, other_norm)
    near = abs(total - other_total) <= allowed and abs(norm - other_norm) <= allowed
    if x[2:4] != y[2:4] and not near:
        yield Unequal(METRICS, f"{name}, sum and norm", str(x[2:4]), str(y[2:4]))
