"""What each accumulated loss is multiplied by."""

from collections.abc import Sequence

from reference.check.finding import CHORES, SCALES, Evidence, Finding, Level, in_steps
from reference.check.step import Step, finite, rows_in
from reference.check.training import Training

SUM = "sum"
UNEVEN = 1.5  # times: by less than that a last batch may be smaller
CLOSE = 1e-5  # how far factors that make one are from it in float32


def _scales(training: Training) -> list[tuple[Step, list[float]]]:
    """The steps that accumulate passes of one model, with what each loss is multiplied by."""
    found = []
    for step in training.steps:
        scales = [finite(scale) for scale in step.chores.get("scales", ())]
        known = [scale for scale in scales if scale is not None]
        models = {batch.get("model", 0) for batch in step.batch}
        passes = step.backward_passes
        if passes > 1 and len(known) == len(scales) == passes and len(models) == 1:
            found.append((step, known))
    return found


def _are_parts(steps: Sequence[Step]) -> bool:
    """Whether the passes of a step are alike in each step, and unlike each other.

    Of equal micro-batches only a last one is smaller; labelled rows beside more unlabelled ones are
    parts of one loss.
    """
    rows = {tuple(rows_in(batch) for batch in step.batch) for step in steps}
    return len(steps) > 1 and len(rows) == 1 and len(set(next(iter(rows)))) > 1


def not_divided(training: Training) -> Evidence | None:
    """Each accumulated loss counts in full, so that the gradient is that of their sum."""
    steps = _scales(training)
    whole = [(s, scales) for s, scales in steps if all(scale == 1.0 for scale in scales)]
    if len(training.by_optimizer) > 1 or not whole or len(whole) < len(steps):
        return None
    if len(whole) < len(training.steps) / 2:
        return None
    if _are_parts(training.steps):
        return None
    passes = whole[0][0].backward_passes
    numbers = [step.number for step, _ in whole]
    return Evidence(
        f"{in_steps(numbers, len(training.steps))} {passes} losses are accumulated, and each is "
        f"multiplied by 1: the gradient is {passes} times that of their mean",
        numbers,
        {"passes": passes},
    )


def divided_twice(training: Training) -> Evidence | None:
    """The factors of the accumulated losses sum to less than one."""
    steps = _scales(training)
    small = [(s, sum(scales)) for s, scales in steps if sum(scales) < 1 - CLOSE]
    if not small or len(small) < len(training.steps) / 2:
        return None
    step, total = small[0]
    return Evidence(
        f"{in_steps([s.number for s, _ in small], len(training.steps))} "
        f"{step.backward_passes} losses are accumulated, and their factors sum to {total:g}, not 1",
        [s.number for s, _ in small],
        {"sum": total},
    )


def _shares(step: Step, scales: list[float]) -> list[tuple[int, float]]:
    """The rows of each pass, and what its loss counts; nothing where one of them isn't known."""
    rows = [rows_in(batch) for batch in step.batch]
    return list(zip(rows, scales, strict=True)) if len(rows) == len(scales) and all(rows) else []


def uneven(training: Training) -> Evidence | None:
    """A row of a small batch counts far more than one of a large batch beside it."""
    if any(v == SUM for n, v in training.settings.items() if n.endswith(".reduction")):
        return None  # there each row counts as its loss is scaled
    found = []
    for step, scales in _scales(training):
        shares = _shares(step, scales)
        each = [scale / rows for rows, scale in shares]
        if each and abs(sum(scales) - 1) < CLOSE and max(each) > UNEVEN * min(each):
            found.append((step, shares))
    if not found:
        return None
    step, shares = max(found, key=lambda pair: max(r for r, _ in pair[1]))
    shown = " and ".join(f"{rows} rows by {scale:.3g}" for rows, scale in sorted(set(shares)))
    numbers = [s.number for s, _ in found]
    return Evidence(
        f"{in_steps(numbers, len(training.steps))} the losses of unequal batches are averaged as "
        f"if they were equal: in step {step.number}, {shown}",
        numbers,
        {"shares": [list(share) for share in shares]},
    )


FINDINGS = (
    Finding(
        name="accumulates-unevenly",
        level=Level.LOOK,
        claim="the accumulated loss is a mean of means, and not that of all samples",
        link="gradient: what each accumulated loss is multiplied by",
        remedy="weight each loss by its rows: loss * rows / all rows of the step; or drop the "
        "last, smaller batch",
        find=uneven,
        needs=(CHORES, SCALES),
    ),
    Finding(
        name="loss-not-divided",
        level=Level.LIKELY,
        claim="accumulated losses are summed, not averaged",
        link="gradient: what each accumulated loss is multiplied by",
        remedy="divide the loss by the number of accumulated batches before loss.backward()",
        find=not_divided,
        needs=(CHORES, SCALES),
    ),
    Finding(
        name="loss-divided-twice",
        level=Level.LIKELY,
        claim="accumulated losses are divided more than once",
        link="gradient: what each accumulated loss is multiplied by",
        remedy="divide the loss once: accelerator.backward() does it by itself",
        find=divided_twice,
        needs=(CHORES, SCALES),
    ),
)
