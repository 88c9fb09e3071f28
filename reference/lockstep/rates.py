"""Learning rates of two trainings in words: another base, another length, or the last bit."""

import math
from collections.abc import Sequence

from reference.diff.value_text import both, distance
from reference.lockstep.differences import Difference

CLOSE = 1e-9  # relative: what rounding makes of one formula written in two ways
FEW = 3  # rates that a line is drawn through


def rates_text(difference: Difference) -> str:
    """What is unequal in the rates, at its first step, and what that comes to."""
    first = difference.first
    values = f"learning rate {both(first['a'], first['b'])}{distance(first['a'], first['b'])}"
    text = f"{values} in step {first['step']}"
    notes = [n for n in difference.notes if n["first"] == first["first"]]
    meaning = _meaning([n["step"] for n in notes], [n["a"] for n in notes], [n["b"] for n in notes])
    return f"{text}: {meaning}" if meaning else text


def _meaning(steps: Sequence[int], a: Sequence[float], b: Sequence[float]) -> str:
    if all(math.isclose(x, y, rel_tol=CLOSE, abs_tol=1e-300) for x, y in zip(a, b, strict=True)):
        return "the same but for rounding"
    if len(a) > FEW:
        if list(b[:-1]) == list(a[1:]):
            return "B's is A's of the step after"
        if list(a[:-1]) == list(b[1:]):
            return "B's is A's of the step before"
    ratios = [y / x for x, y in zip(a, b, strict=True) if x]
    if len(ratios) > 1 and all(math.isclose(r, ratios[0], rel_tol=CLOSE) for r in ratios):
        return f"B's is {ratios[0]:.6g} times A's throughout"
    ends = [_end(steps, rates) for rates in (a, b)]
    if None not in ends and ends[0] != ends[1]:
        return f"linear to 0 over {ends[0]} and {ends[1]} steps"
    if len(set(b)) == 1 and len(b) > 1:
        return "B's never moves"
    if len(set(a)) == 1 and len(a) > 1:
        return "A's never moves"
    return ""


def _end(steps: Sequence[int], rates: Sequence[float]) -> int | None:
    """After how many steps a linear schedule comes to 0; None where it isn't one."""
    above = [(step, rate) for step, rate in zip(steps, rates, strict=True) if rate > 0]
    if len(above) < FEW:
        return None
    steps, rates = [step for step, _ in above], [rate for _, rate in above]
    slope = (rates[-1] - rates[0]) / (steps[-1] - steps[0])
    if not slope < 0:
        return None
    fits = all(
        math.isclose(rates[0] + slope * (s - steps[0]), r, rel_tol=1e-6, abs_tol=1e-12)
        for s, r in zip(steps, rates, strict=True)
    )
    end = steps[0] - 1 - rates[0] / slope  # step 1 has the rate of 0 steps
    return round(end) if fits and abs(end - round(end)) < 1e-3 else None
