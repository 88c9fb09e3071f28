"""Two runs compared by tolerance, which is never a guess: two other runs measured it.

    python -m reference diff A B --envelope C D

C and D are two runs of the same thing that can't be equal to the bit, as on another number of
processes. As far apart as they are by a step, in loss and in the norm of the gradient, A and B may
be. What a machine is told (batches, hyper-parameters, learning rates) has to be equal all the same.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from reference.diff.link_comparators import COMPARATORS, HARD, Pair, Unequal
from reference.diff.verdict import Verdict
from reference.errors import InputError
from reference.ledger.link_table import COMPUTED, LINKS
from reference.ledger.record import Ledger, Record
from reference.ledger.schema import check
from reference.ledger.steps import open_ledger

Source = Ledger | Path


def diff_within(a: Source, b: Source, c: Source, d: Source) -> Verdict:
    """The verdict on `a` and `b` by the envelope of `c` and `d`; `identical` is within it.

    Raises InputError for an envelope that is shorter than the runs.
    """
    allowed: dict[str, float] = {}
    steps = 0
    names = _names(a)
    for x, y, p, q in zip_longest(*map(_steps, (a, b, c, d))):
        if x is None and y is None:
            break
        if x is None or y is None:
            unequal = Unequal("batch", "steps of the run", *_lengths(x, steps))
            return _diverged(steps, unequal, allowed, f"one run ends: {unequal}")
        if p is None or q is None:
            raise InputError(
                f"--envelope: ends after {steps} steps; give two runs as long as these"
            )
        _farthest(allowed, p, q)
        for told in _told(p, q, names):
            raise InputError(
                f"--envelope: no two runs of the same thing: {told.link}, {told}; give others"
            )
        found = sorted(_unequal(x, y, names, allowed), key=lambda u: LINKS.index(u.link))
        if found:
            return _diverged(steps, found[0], allowed, str(found[0]))
        steps += 1
    if not steps:
        return Verdict("incomparable", detail="a ledger without steps")
    return Verdict("identical", steps, detail="within the envelope", notes=(_note(allowed),))


def apart(a: Source, b: Source) -> dict[str, float]:
    """How far apart two runs of the same thing are at most, over all steps: by 'link field'.

    Raises InputError for two that were told other things, or that aren't equally long.
    """
    names, found = _names(a), dict[str, float]()
    for step, (x, y) in enumerate(zip_longest(_steps(a), _steps(b)), 1):
        if x is None or y is None:
            raise InputError(f"no two runs of the same thing: one ends before step {step}")
        for told in _told(x, y, names):
            raise InputError(f"no two runs of the same thing: step {step}, {told.link}, {told}")
        _farthest(found, x, y)
    if not found:
        raise InputError("no step of these runs has a number in both; train at least one step")
    return found


def _farthest(distances: dict[str, float], x: Record, y: Record) -> None:
    """Note how far apart two steps' numbers are, where that is farther than before."""
    for name, (one, other) in _pairs(x, y).items():
        distances[name] = max(distances.get(name, 0.0), abs(one - other))


def _lengths(left: Record | None, steps: int) -> tuple[int | str, int | str]:
    return (steps, "more") if left is None else ("more", steps)


def _diverged(steps: int, unequal: Unequal, allowed: dict[str, float], detail: str) -> Verdict:
    link = unequal.link
    notes = (_note(allowed),)
    return Verdict("diverged", steps, steps + 1, link, detail, (link,), (unequal,), notes)


def _note(allowed: dict[str, float]) -> str:
    return f"within the envelope, so far apart at most: {shown(allowed)}"


def shown(distances: dict[str, float]) -> str:
    """In one line: each number's name, and how far apart."""
    return ", ".join(f"{name} {value:.2g}" for name, value in sorted(distances.items()))


def _steps(source: Source) -> Iterator[Record]:
    _, groups = open_ledger(source)
    return (check(group.step) for group in groups if group.step is not None)


def _names(source: Source) -> list[str]:
    _, groups = open_ledger(source)
    first = next(groups)
    return [name for model in first.models for name, *_ in model["parameters"]]


def _unequal(
    x: Record, y: Record, names: list[str], allowed: dict[str, float]
) -> Iterator[Unequal]:
    yield from _told(x, y, names)
    for name, (one, other) in _pairs(x, y).items():
        if not abs(one - other) <= allowed.get(name, 0.0):
            yield Unequal(name.split()[0], name.split()[1], one, other)


def _told(x: Record, y: Record, names: list[str]) -> Iterator[Unequal]:
    """What is unequal of what the machine was told, and so allows no tolerance."""
    for link in (link for link in LINKS if link not in COMPUTED):
        if x.get(link) is not None and y.get(link) is not None:
            hard = [u for u in COMPARATORS[link](Pair(x, y, names)) if u.weight == HARD]
            yield from hard
            if hard:
                return
    rates = [r.get("schedule", {}).get("learning_rate") for r in (x, y)]
    if rates[0] != rates[1]:
        yield Unequal("schedule", "learning_rate", *rates)


def _pairs(x: Record, y: Record) -> dict[str, tuple[float, float]]:
    """The numbers of a step that both have: 'link field' and both values."""
    left, right = _numbers(x), _numbers(y)
    return {name: (left[name], right[name]) for name in left if name in right}


def _numbers(record: Record) -> dict[str, float]:
    passes = record.get("forward") or []
    losses = [float(p["loss"]) for p in passes if isinstance(p.get("loss"), int | float | str)]
    found = {"forward loss": sum(losses) / len(losses)} if losses else {}
    for link in ("gradient", "clip"):
        norm = (record.get(link) or {}).get("norm")
        if norm is not None:
            found[f"{link} norm"] = float(norm)
    return found
