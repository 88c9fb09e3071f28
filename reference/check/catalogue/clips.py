"""Clipping: of nothing, after the step, to a bound that never cuts or cuts all."""

from collections.abc import Iterator

from reference.check.finding import CHORES, Evidence, Finding, Level
from reference.check.step import Step, finite
from reference.check.training import Training
from reference.ledger.record import Record

FEW = 10  # steps: in fewer a bound may not be reached, or always be, by chance
FAR = 10  # a bound that many times the largest norm never cuts
ALL = 50  # times the bound: where every norm is, the bound or the loss is of another size


def _calls(training: Training) -> Iterator[tuple[Step, Record]]:
    """The calls that clip, each with its step; one to infinity only measures the norm."""
    for step in training.steps:
        for call in step.chores.get("clips", ()):
            if finite(call["bound"]) is not None:
                yield step, call


def _cuts(call: Record) -> bool:
    """Whether its norm is above its bound; also where that isn't known."""
    bound, norm = finite(call["bound"]), finite(call.get("norm"))
    return bound is None or norm is None or norm > bound


def of_nothing(training: Training) -> Evidence | None:
    """Each call found a norm of zero, though there were gradients."""
    calls = list(_calls(training))
    empty = [
        (step, call)
        for step, call in calls
        if call.get("norm") == 0 and call.get("backward_passes") and finite(step.clip.get("norm"))
    ]
    if not empty or len(empty) < len(calls):
        return None
    step, call = empty[0]
    norm = finite(step.clip["norm"])
    return Evidence(
        f"{len(empty)} calls clip to {call['bound']:g} and find a norm of 0, where the optimizer "
        f"gets a gradient of norm {norm:.4g} (step {step.number})",
        [step.number for step, _ in empty],
        {"bound": call["bound"], "norm": norm},
    )


def after_step(training: Training) -> Evidence | None:
    """Each call comes after the optimizer's step and before the next backward pass.

    To a bound that no norm reaches it would cut nothing there either: that only measures the norm.
    """
    calls = list(_calls(training))
    late = [
        step.number
        for step, call in calls
        if call.get("backward_passes") == 0 and step.backward_passes
    ]
    if not any(_cuts(call) for _, call in calls):
        return None
    if len(training.by_optimizer) > 1 or len(late) < 2 or len(late) < len(calls):
        return None
    norms = [finite(step.gradient.get("norm")) or 0.0 for step in training.steps]
    bound = calls[0][1]["bound"]
    return Evidence(
        f"{len(late)} calls clip to {bound} between the optimizer's step and the next backward "
        f"pass, where it does nothing; the largest norm is {max(norms):.4g}",
        late,
        {"bound": bound, "largest_norm": max(norms)},
    )


def never_cuts(training: Training) -> Evidence | None:
    """The bound is far above every norm."""
    calls = [(s, c) for s, c in _calls(training) if c.get("backward_passes") and c.get("norm")]
    pairs = [(finite(call["bound"]), finite(call["norm"])) for _, call in calls]
    known = [(b, n) for b, n in pairs if b is not None and n is not None]
    if len(known) < FEW or any(bound < FAR * norm for bound, norm in known):
        return None
    bound, norm = min(b for b, _ in known), max(n for _, n in known)
    return Evidence(
        f"{len(known)} calls clip to {bound:g}, and the largest norm is {norm:.4g}: none is cut",
        values={"bound": bound, "largest_norm": norm},
    )


def always_cuts(training: Training) -> Evidence | None:
    """Each call finds a norm far above its bound."""
    calls = [c for _, c in _calls(training) if finite(c["bound"]) and finite(c.get("norm"))]
    times = [float(call["norm"]) / float(call["bound"]) for call in calls]
    if len(times) < FEW or min(times) < ALL:
        return None
    return Evidence(
        f"all {len(times)} calls clip to {calls[0]['bound']:g}, and the norm is {min(times):.0f} "
        f"to {max(times):.0f} times that",
        values={"bound": calls[0]["bound"], "times": [min(times), max(times)]},
    )


def no_bound(training: Training) -> Evidence | None:
    """Nothing is clipped, and the norm of one step is far above the others."""
    steps = [s for s in training.steps if finite(s.clip.get("norm")) is not None]
    if any(True for _ in _calls(training)) or len(steps) < FEW:
        return None
    norms = sorted(float(step.clip["norm"]) for step in steps)
    median, largest = norms[len(norms) // 2], norms[-1]
    factors = {step.clip.get("factor") for step in steps}
    if factors - {1.0, None} or not median or largest < FAR * FAR * median or largest < FAR:
        return None
    worst = next(s for s in steps if float(s.clip["norm"]) == largest)
    return Evidence(
        f"nothing is clipped; the norm of step {worst.number} is {largest:.4g}, where half of all "
        f"are below {median:.4g}",
        [worst.number],
        {"norm": largest, "median": median},
    )


FINDINGS = (
    Finding(
        name="clip-of-nothing",
        level=Level.WRONG,
        claim="the clip gets no gradients",
        link="clip: what a call that clips gets",
        remedy="give it list(model.parameters()): a generator that was gone through is empty",
        find=of_nothing,
        needs=(CHORES,),
    ),
    Finding(
        name="clip-after-step",
        level=Level.WRONG,
        claim="gradients are clipped after the optimizer's step",
        link="clip: when it is called",
        remedy="clip between loss.backward() and optimizer.step()",
        find=after_step,
        needs=(CHORES,),
    ),
    Finding(
        name="clip-never-cuts",
        level=Level.LOOK,
        claim="the clip does nothing",
        link="clip: its bound and the norms",
        remedy="give a bound that the largest norms reach, or leave the clip out",
        find=never_cuts,
        needs=(CHORES,),
    ),
    Finding(
        name="clip-cuts-all",
        level=Level.LOOK,
        claim="the clip cuts every step to a small part of its gradient",
        link="clip: its bound and the norms",
        remedy="see whether the loss is summed where its mean is meant; else raise the bound",
        find=always_cuts,
        needs=(CHORES,),
    ),
    Finding(
        name="spike-without-clip",
        level=Level.LOOK,
        claim="a gradient far above all others is not clipped",
        link="clip: its bound and the norms",
        remedy="call torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before "
        "optimizer.step(), and look at that step's batch",
        find=no_bound,
        needs=(CHORES,),
    ),
)
