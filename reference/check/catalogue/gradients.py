"""Gradients: zero, none or not finite; zeroed too early, or never."""

from reference.check.finding import CHORES, Evidence, Finding, Level, count_of, in_steps, some_of
from reference.check.step import Step, finite
from reference.check.training import Training

FEW = 5  # steps: a gradient that is zero in fewer may be so by chance
OFTEN = 0.5  # of the steps


def _is_word(value: object) -> bool:
    """Whether a number of the ledger is 'nan', 'inf' or '-inf'."""
    return isinstance(value, str)


def not_finite(training: Training) -> Evidence | None:
    """The optimizer gets a gradient that isn't finite, and its step goes through."""
    bad = [s for s in training.steps if s.changed and _is_word(s.clip.get("norm"))]
    if not bad:
        return None
    first = bad[0]
    return Evidence(
        f"{in_steps([s.number for s in bad], len(training.steps))} the optimizer gets a gradient "
        f"of norm {first.clip['norm']}, and changes weights by it",
        [s.number for s in bad],
        {"norm": first.clip["norm"], "learning_rate": first.rate},
    )


def _after_backward(training: Training) -> list[Step]:
    return [s for s in training.steps if s.backward_passes and "norm" in s.gradient]


def all_zero(training: Training) -> Evidence | None:
    """No step has a gradient that isn't zero."""
    steps = _after_backward(training)
    # What no forward pass used is only known when the optimizer steps it.
    if not steps or any(s.gradient["norm"] != 0 or s.clip.get("norm") for s in steps):
        return None
    return Evidence(
        f"in all {count_of(len(steps), 'step')} every gradient is zero or none after the backward "
        "pass",
        [s.number for s in steps],
    )


def sometimes_zero(training: Training) -> Evidence | None:
    """Some steps have only zero gradients."""
    steps = _after_backward(training)
    zero = [s.number for s in steps if s.gradient["norm"] == 0]
    if len(zero) < 2 or len(zero) == len(steps):
        return None
    return Evidence(
        f"{in_steps(zero, len(steps))} every gradient is zero or none after the backward pass", zero
    )


def zeroed_early(training: Training) -> Evidence | None:
    """Gradients are there after the backward pass, and none when the optimizer steps."""
    steps = _after_backward(training)
    lost = [s for s in steps if finite(s.gradient["norm"]) and s.clip.get("norm") == 0]
    if not lost or len(lost) < OFTEN * len(steps):
        return None
    norm = lost[0].gradient["norm"]
    return Evidence(
        f"{in_steps([s.number for s in lost], len(steps))} the gradient is there after the "
        f"backward pass (norm {norm:.4g} in step {lost[0].number}) and zero when the optimizer "
        "steps",
        [s.number for s in lost],
        {"norm": norm},
    )


def _left(training: Training) -> tuple[list[Step], int]:
    """The steps whose gradients were added to old ones, and how many could show it."""
    found, of = [], 0
    for steps in training.by_optimizer.values():
        later = [s for s in steps[1:] if s.members]
        of += len(later)
        for step in later:
            unzeroed = step.chores.get("unzeroed", 0)
            # A parameter alone may get its gradient before the model does.
            if isinstance(unzeroed, int) and unzeroed > step.members / 2:
                found.append(step)
    return found, of


def never_zeroed(training: Training) -> Evidence | None:
    """In most steps gradients are added to those of the step before."""
    found, of = _left(training)
    if not found or len(found) < OFTEN * of:
        return None
    return _of_left(found, of)


def not_always_zeroed(training: Training) -> Evidence | None:
    """In some steps gradients are added to those of the step before."""
    found, of = _left(training)
    return _of_left(found, of) if found and len(found) < OFTEN * of else None


def _of_left(found: list[Step], of: int) -> Evidence:
    first = found[0]
    return Evidence(
        f"{in_steps([s.number for s in found], of)} after the first, gradients were added to what "
        f"was left from before in {first.chores['unzeroed']} of {first.members} parameters",
        [s.number for s in found],
        {"unzeroed": first.chores["unzeroed"], "parameters": first.members},
    )


def dead(training: Training) -> Evidence | None:
    """Parameters whose gradient is zero in each step, beside others that learn."""
    zero = [p for p in training.parameters if p.with_gradient >= FEW and p.zero == p.with_gradient]
    alive = any(p.with_gradient > p.zero for p in training.parameters)
    if not zero or not alive:
        return None
    names = [p.name for p in zero]
    return Evidence(
        f"{count_of(len(zero), 'parameter')} have a gradient of zero in each of their steps: "
        f"{some_of(names)}",
        values={"parameters": names},
    )


FINDINGS = (
    Finding(
        name="gradient-not-finite",
        level=Level.WRONG,
        claim="the optimizer steps by a gradient that is not finite",
        link="clip: whether what the optimizer gets is finite",
        remedy="look at the loss and the learning rate of the step before; clip, or skip such a "
        "step",
        find=not_finite,
    ),
    Finding(
        name="gradients-are-zero",
        level=Level.WRONG,
        claim="no parameter ever gets a gradient",
        link="gradient: whether it is zero or none",
        remedy="see that the loss depends on the model's outputs by torch's operations, and that "
        "nothing is detached",
        find=all_zero,
    ),
    Finding(
        name="gradients-are-zero-at-times",
        level=Level.LOOK,
        claim="in some steps no parameter gets a gradient",
        link="gradient: whether it is zero or none",
        remedy="look at the batches of these steps: all labels left out, or a loss at its minimum",
        find=sometimes_zero,
    ),
    Finding(
        name="zeroed-before-step",
        level=Level.WRONG,
        claim="gradients are zeroed between the backward pass and the optimizer's step",
        link="clip: whether the optimizer gets what the backward pass left",
        remedy="call optimizer.zero_grad() after optimizer.step(), or before loss.backward()",
        find=zeroed_early,
    ),
    Finding(
        name="never-zeroed",
        level=Level.WRONG,
        claim="gradients are never zeroed",
        link="gradient: whether old ones are left when a step begins",
        remedy="call optimizer.zero_grad() once for each optimizer.step()",
        find=never_zeroed,
        needs=(CHORES,),
    ),
    Finding(
        name="not-always-zeroed",
        level=Level.LIKELY,
        claim="in some steps gradients are not zeroed",
        link="gradient: whether old ones are left when a step begins",
        remedy="call optimizer.zero_grad() once for each optimizer.step(), on every path of the "
        "loop",
        find=not_always_zeroed,
        needs=(CHORES,),
    ),
    Finding(
        name="dead-parameters",
        level=Level.LOOK,
        claim="some parameters have a gradient of zero in every step",
        link="gradient: whether each parameter's is always zero",
        remedy="see whether an activation before or after them is always off, or a factor zero",
        find=dead,
    ),
)
