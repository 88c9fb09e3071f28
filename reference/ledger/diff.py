"""Where two ledgers first part: the first step, and in it the first unequal link.

python -m reference compare
"""

from dataclasses import dataclass
from typing import Any

from reference.ledger import LINKS, METRICS
from reference.ledger.record import Ledger, Record

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions")


@dataclass(frozen=True)
class Verdict:
    """`identical`, `diverged` or `incomparable`; where and in what, and how far it was equal."""

    verdict: str
    steps: int = 0  # steps that are equal in every link
    step: int | None = None
    link: str | None = None
    detail: str = ""


def diff(a: Ledger, b: Ledger) -> Verdict:
    """The verdict on two ledgers; the first one is named first in its detail."""
    for name in SURROUNDINGS:
        if a.header.get(name) != b.header.get(name):
            values = f"{a.header.get(name)} and {b.header.get(name)}"
            return Verdict("incomparable", detail=f"{name} differ: {values}")
    if a.models != b.models:
        return Verdict("incomparable", detail="the models have other parameters")
    if not a.steps or not b.steps:
        return Verdict("incomparable", detail="a ledger without steps")
    for done, (left, right) in enumerate(zip(a.steps, b.steps, strict=False)):
        for link in LINKS:
            if left.get(link) != right.get(link):
                detail = describe(link, left.get(link), right.get(link), a.models)
                return Verdict("diverged", done, done + 1, link, detail)
    common = min(len(a.steps), len(b.steps))
    if len(a.steps) != len(b.steps):
        lengths = f"{len(a.steps)} steps and {len(b.steps)}"
        return Verdict("diverged", common, common + 1, LINKS[0], f"one run ends: {lengths}")
    for left, right in zip(a.evaluations, b.evaluations, strict=False):
        if left != right:
            detail = describe(METRICS, left, right, a.models)
            return Verdict("diverged", common, left["step"], METRICS, detail)
    if len(a.evaluations) != len(b.evaluations):
        counts = f"{len(a.evaluations)} evaluations and {len(b.evaluations)}"
        return Verdict("diverged", common, common, METRICS, counts)
    if not (a.end and b.end and a.end["complete"] and b.end["complete"]):
        return Verdict("incomparable", common, detail="equal so far; a run was cut short")
    if a.end != b.end:
        return Verdict("diverged", common, common, "weights", "changed after the last step")
    return Verdict("identical", common)


def describe(link: str, left: Any, right: Any, models: list[Record]) -> str:
    """The first unequal field of a link, and the first unequal tensor where it is hashes."""
    names = [p[0] for model in models for p in model["parameters"]]
    if isinstance(left, dict) and isinstance(right, dict):
        first, second = str(left.get("tensors", "")).split(), str(right.get("tensors", "")).split()
        unequal = [n for n, x, y in zip(names, first, second, strict=False) if x != y]
        fields = [k for k in {**left, **right} if left.get(k) != right.get(k)]
        shown = [k for k in fields if k not in ("tensors", "hash")]
        text = "; ".join(f"{k}: {_short(left.get(k))} and {_short(right.get(k))}" for k in shown)
        if unequal:
            count = f"{len(unequal)} of {len(names)} tensors differ, first {unequal[0]}"
            text = f"{text}; {count}" if text else count
        return text or f"{link} differ"
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for i, (x, y) in enumerate(zip(left, right, strict=True)):
            if x != y:
                where = f"micro-batch {i + 1}: " if len(left) > 1 else ""
                return where + describe(link, x, y, models)
    return f"{_short(left)} and {_short(right)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else text[:87] + "..."
