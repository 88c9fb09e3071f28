"""What each accumulated loss is multiplied by."""

from reference.check.finding import CHORES, SCALES, Evidence, Finding, Level, in_steps
from reference.check.step import Step, finite
from reference.check.training import Training

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


def not_divided(training: Training) -> Evidence | None:
    """Each accumulated loss counts in full, so that the gradient is that of their sum."""
    steps = _scales(training)
    whole = [(s, scales) for s, scales in steps if all(scale == 1.0 for scale in scales)]
    if len(training.by_optimizer) > 1 or not whole or len(whole) < len(steps):
        return None
    if len(whole) < len(training.steps) / 2:
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


FINDINGS = (
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
