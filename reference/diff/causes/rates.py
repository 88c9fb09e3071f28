"""Unequal learning rates: another schedule, another length, or one that isn't stepped."""

from collections.abc import Iterator
from math import acos, isclose, pi
from typing import Any

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, in_both
from reference.diff.sides import FIRST, RUNS, SECOND

EXACT = 1e-9  # relative: rates are computed in 64 bits
CONSTANT = "a constant rate"
NEAR = 1e-6  # of a cosine, which is flat at its beginning
LONGEST = 1 << 32  # steps


def rate_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    unequal = next(iter(case.unequal("schedule")), None)
    if unequal is None:
        return
    x, y = unequal.left, unequal.right
    after = case.step if unequal.field == "next_learning_rate" else case.step - 1
    when = f"after step {after}" if after else "in the first step"
    said = f"the learning rate {when} is {in_both(x, y)}"
    bases = [_base(record) for record in case.pair]
    shapes = [
        _shape(value, base, after) if isinstance(value, float | int) else ""
        for value, base in zip((x, y), bases, strict=True)
    ]
    steps = "look at num_training_steps, num_warmup_steps and the kind of the schedule"
    if not after and CONSTANT in shapes and shapes[0] != shapes[1]:
        full = shapes.index(CONSTANT)
        yield LikelyCause(
            "warm-up",
            f"{said}: {RUNS[full]}'s schedule begins at the full rate, {RUNS[1 - full]}'s at a "
            "share of it, as with a warm-up",
            steps,
        )
        return
    for side in (0, 1):
        if shapes[side] == CONSTANT and shapes[1 - side] != CONSTANT:
            still, moves = RUNS[side], RUNS[1 - side]
            what = f" ({moves}: {shapes[1 - side]})" if shapes[1 - side] else ""
            yield LikelyCause(
                "schedule-not-stepped",
                f"{said}: {still}'s stays what it is at the beginning, {moves}'s moves{what}",
                f"call scheduler.step() after each optimizer.step() in {still}, or make the "
                "schedule that it lacks",
            )
            return
    if all(shapes):
        forms = [shape.rpartition(" steps")[0].rpartition(" ") for shape in shapes]
        if forms[0][0] == forms[1][0] and forms[0][0]:
            what = f"{forms[0][0]} {forms[0][2]} steps in {FIRST} and {forms[1][2]} in {SECOND}"
            lengths = int(forms[0][2]), int(forms[1][2])
            yield _of_other_length(f"{said}: {what}", forms[0][0], lengths, case.steps)
        else:
            what = f"{FIRST} has {shapes[0]}, {SECOND} {shapes[1]}"
            yield LikelyCause("schedule", f"{said}: {what}", steps)
        return
    yield LikelyCause("schedule", f"{said}: the schedules differ", steps)


def _of_other_length(
    said: str, form: str, lengths: tuple[int, int], run_steps: tuple[int, int]
) -> LikelyCause:
    """Two schedules of one kind: which of them doesn't end with its run."""
    wrong = [side for side in (0, 1) if lengths[side] != run_steps[side]]
    if "warm-up" in form or len(wrong) != 1:
        return LikelyCause(
            "schedule",
            said,
            "look at num_training_steps, num_warmup_steps: how long it is made for",
        )
    side, own = wrong[0], run_steps[wrong[0]]
    times = lengths[side] / own
    more = f"{times:.3g} times as long as" if times > 1 else f"{times:.3g} of"
    return LikelyCause(
        "schedule",
        f"{said}; {RUNS[side]}'s run has {own} optimizer steps, so that its schedule is {more} "
        "its run",
        f"make the schedule of {RUNS[side]} for {own} steps (num_training_steps: those of the "
        "optimizer in all epochs)",
    )


def _base(record: dict[str, Any]) -> float | None:
    rates = (record.get("optimizer") or {}).get("base_learning_rate") or []
    return rates[0] if len(rates) == 1 and isinstance(rates[0], int | float) else None


def _shape(rate: float, base: float | None, after: int) -> str:
    """What schedule gives this rate after so many steps, if that is a simple one."""
    if not base:
        return ""
    share = rate / base
    if share == 1:
        return CONSTANT
    if not after or not 0 <= share < 1:
        return ""
    decay = _whole(after / (1 - share))
    cosine = _whole(after * pi / acos(2 * share - 1), NEAR) if share else None
    rise = _whole(after / share) if share else None
    if cosine is not None and decay is None:
        return f"a cosine over {cosine} steps"
    if rise is not None and (decay is None or share < 0.5):
        return f"a warm-up of {rise} steps"
    return f"a linear decay to 0 over {decay} steps" if decay is not None else ""


def _whole(steps: float, within: float = EXACT) -> int | None:
    near = steps < LONGEST and isclose(steps, round(steps), rel_tol=within)
    return round(steps) if near else None
