"""What came out of evaluations of the same rows in other batches, which gives other bits.

Whole numbers are compared to the bit, others by their sum, their norm and a few sums with signs,
which tell rows apart: within PRECISELY_NEAR, or NEAR. Where values are so large that this share of
their norm hides all the others, the sums of the squashed values are compared as well.
"""

import math
from collections.abc import Iterator
from typing import Any

from reference.diff.unequal import Unequal
from reference.ledger.link_table import METRICS, SUMS
from reference.ledger.record import Record

# How far sum and norm of what comes out may move because of other batches, as a share of the norm.
# Seen with a BERT of 2 layers of 64, 64 rows in batches of 1, 8 and 64 (torch 2.13, CPU): 9e-8 in
# float32, 7e-4 in bfloat16 (tests/diff/test_other_batches.py -s); once, with 6 layers of 384 and
# 408 rows, 7e-7 and 2.6e-3. A float32 may have been a bfloat16 within, unless a ledger says that
# all was computed in float32 or better.
NEAR = 1e-2
PRECISELY_NEAR = 1e-4
LARGE = 100  # times the norm of the squashed values: then the squashed ones are compared as well
PLAIN = 6  # of the sums: those of the values as they are
OF_A_BATCH = " a batch"  # how a form ends that isn't of rows
OTHER_ROWS = "the rows have different values, or each other's"


def near(left: Record, right: Record) -> float:
    """How far other batches may move what comes out."""
    precise = left.get("precise") and right.get("precise")
    return PRECISELY_NEAR if precise else NEAR


def shown(x: list[Any], y: list[Any]) -> tuple[Any, Any]:
    """Their forms where these differ, or else their hashes."""
    return (x[1], y[1]) if x[1] != y[1] else (x[0], y[0])


def is_by_batch(*described: list[Any]) -> bool:
    """Whether any of them is hashed by the batch: in other batches it can't be compared."""
    return any(str(each[1]).endswith(OF_A_BATCH) for each in described)


def is_hashed_in_two_ways(x: list[Any], y: list[Any]) -> bool:
    """Whether one of them alone is hashed by the batch, as what is large is, or of before."""
    return is_by_batch(x) != is_by_batch(y)


def is_compared(x: list[Any], y: list[Any]) -> bool:
    """Whether `of_other_batches` can tell whether these two are the same."""
    if x[:2] == y[:2]:
        return True
    if is_by_batch(x, y):
        return False
    # Ledgers of before had sums that weren't finite.
    return all(math.isfinite(float(each[3])) for each in (x, y) if len(each) > 3)


def of_other_batches(name: str, x: list[Any], y: list[Any], share: float) -> Iterator[Unequal]:
    """An output of the same rows in other batches.

    Args:
        name: What it is called.
        x: The first run's, as its ledger has it.
        y: The second run's.
        share: How far sums may be apart, as a share of the norm.
    """
    if is_by_batch(x, y):
        return
    kinds = [str(each[1]).split()[0] for each in (x, y)]
    if kinds[0] != kinds[1] or min(len(x), len(y)) < 4:
        if kinds[0] != kinds[1] or x[0] != y[0]:
            yield Unequal(METRICS, name, *shown(x, y))
        return
    sums, others = ([float(v) for v in each[2 : 2 + SUMS]] for each in (x, y))
    both_squashed = len(sums) == len(others) == SUMS
    if both_squashed and x[2 + SUMS :] != y[2 + SUMS :]:
        yield Unequal(METRICS, f"{name}, values that aren't finite, or are huge", *_odd(x, y))
        return
    if _are_apart(sums[:2], others[:2], share * _larger(sums[1], others[1])):
        yield Unequal(METRICS, f"{name}, sum and norm", str(x[2:4]), str(y[2:4]))
    elif _rows_are_apart(sums, others, share):
        yield Unequal(METRICS, f"{name} in different batches", *shown(x, y), words=OTHER_ROWS)


def _rows_are_apart(sums: list[float], others: list[float], share: float) -> bool:
    """By the sums with signs; and by all of the squashed values, where a few are large."""
    norm = _larger(sums[1], others[1])
    if _are_apart(sums[2:PLAIN], others[2:PLAIN], share * norm):
        return True
    if len(sums) < SUMS or len(others) < SUMS:
        return False
    squashed = _larger(sums[PLAIN], others[PLAIN])
    is_hidden = not norm <= LARGE * squashed
    return is_hidden and _are_apart(sums[PLAIN:], others[PLAIN:], share * squashed)


def _larger(x: float, y: float) -> float:
    """The larger one; not a number, where either isn't one."""
    return math.nan if math.isnan(x) or math.isnan(y) else max(x, y)


def _are_apart(sums: list[float], others: list[float], allowed: float) -> bool:
    """Whether any two are farther apart; nothing is said where no finite number is allowed."""
    if not math.isfinite(allowed):
        return False
    return not all(abs(v - w) <= allowed for v, w in zip(sums, others, strict=False))


def _odd(x: list[Any], y: list[Any]) -> tuple[str, str]:
    """How many aren't finite or are huge, or hashes of their places."""
    told = [(str(each[2 + SUMS]) if len(each) > 2 + SUMS else "0").split() for each in (x, y)]
    at = 0 if told[0][0] != told[1][0] else -1
    return told[0][at], told[1][at]
