"""What each accumulated loss is multiplied by."""

from collections.abc import Sequence

from reference.check.finding import CHORES, SCALES, Evidence, Finding, Level, in_steps
from reference.check.step import Step, finite, rows_in
from reference.check.training import Training

SUM = "sum"
UNEVEN = 1.5  # times: by less than that a last batch may be smaller
CLOSE = 1e-5  # how far factors that make one are from it in float32


def _accumulate(step: Step) -> bool:
    """Whether its passes can be parts of one batch, whose gradients are added up.

    They are of one model and are given other rows and the same settings: two looks at one batch
    aren't, two tasks aren't, and a search along a line isn't. Nobody zeroed gradients in between.
    """
    models = {batch.get("model", 0) for batch in step.batch}
    given = [batch.get("arguments") for batch in step.batch]
    alike = len(models) == 1 and all(each == given[0] for each in given)
    others = len(set(step.keys)) == len(step.keys)
    apart = step.clip.get("closure_calls") or step.chores.get("rewritten")
    return alike and others and not apart


def _scales(training: Training) -> list[tuple[Step, list[float]]]:
    """The steps that accumulate, with what each loss is multiplied by."""
    found = []
    for step in training.steps:
        scales = [finite(scale) for scale in step.chores.get("scales", ())]
        known = [scale for scale in scales if scale is not None]
        passes = step.backward_passes
        if passes > 1 and len(known) == len(scales) == passes and _accumulate(step):
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
    """Each of N accumulated losses is divided by N more than once."""
    if _sums(training):
        return None  # a sum is divided by rows
    steps = _scales(training)
    passes = max((len(scales) for _, scales in steps), default=0)
    twice = [
        step.number
        for step, scales in steps
        if all(abs(scale * passes**2 - 1) < CLOSE for scale in scales)
    ]
    if not twice or len(twice) < len(training.steps) / 2:
        return None
    return Evidence(
        f"{in_steps(twice, len(training.steps))} {passes} losses are accumulated, and each is "
        f"multiplied by 1 / {passes**2}, not 1 / {passes}",
        twice,
        {"passes": passes},
    )


def _sums(training: Training) -> bool:
    """Whether a loss module gives a sum over its rows."""
    return any(v == SUM for n, v in training.settings.items() if n.endswith(".reduction"))


def _shares(step: Step, scales: list[float]) -> list[tuple[int, float]]:
    """The rows of each pass, and what its loss counts; nothing where one of them isn't known."""
    rows = [rows_in(batch) for batch in step.batch]
    return list(zip(rows, scales, strict=True)) if len(rows) == len(scales) and all(rows) else []


def uneven(training: Training) -> Evidence | None:
    """A row of a small batch counts far more than one of a large batch beside it."""
    if _sums(training):
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
        level=Level.LOOK,
        claim="accumulated losses are summed, not averaged",
        link="gradient: what each accumulated loss is multiplied by",
        remedy="divide the loss by the number of accumulated batches before loss.backward(); "
        "nothing, where the learning rate is made for their sum, or each is a loss of its own",
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
