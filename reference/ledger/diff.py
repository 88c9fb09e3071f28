"""Where two ledgers first part: the first step, and in it the first unequal link.

python -m reference compare
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reference.ledger import LINKS, METRICS
from reference.ledger.record import Ledger, Record

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions")

SHOWN = 4  # unequal fields in a verdict's detail


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
    whole = all(ledger.end and ledger.end["complete"] for ledger in (a, b))
    if not whole:
        return Verdict(
            "incomparable", common, detail=f"equal for {common} steps; a run was cut short"
        )
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
    if a.end != b.end:
        return Verdict("diverged", common, common, "weights", "changed after the last step")
    return Verdict("identical", common)


def describe(link: str, left: Any, right: Any, models: list[Record]) -> str:
    """The unequal fields of a link with both values, and the first unequal tensor by name."""
    names = [p[0] for model in models for p in model["parameters"]]
    found = []
    for field, x, y in _unequal("", left, right):
        if field.endswith("tensors"):
            pairs = zip(names, str(x).split(), str(y).split(), strict=False)
            unequal = [name for name, one, other in pairs if one != other]
            found.append(f"{len(unequal)} of {len(names)} tensors differ, first {unequal[0]}")
        elif field != "hash":
            found.append(f"{field or link}: {_short(x)} and {_short(y)}")
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _unequal(name: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    """The fields that differ, as deep as both sides have the same shape."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in {**left, **right}:
            inner = f"{name}.{key}" if name else str(key)
            yield from _unequal(inner, left.get(key), right.get(key))
    elif _records(left) and _records(right) and len(left) == len(right):
        for i, (x, y) in enumerate(zip(left, right, strict=True)):
            yield from _unequal(f"{name}[{i}]" if len(left) > 1 else name, x, y)
    elif left != right:
        yield name, left, right


def _records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else text[:87] + "..."
