"""Learning rates: zero, at zero before the run ends, or still rising at its end."""

from itertools import pairwise

from reference.check.catalogue.schedules import NEAR, WARMUP, schedulers_of
from reference.check.finding import Evidence, Finding, Level
from reference.check.step import Step
from reference.check.training import BATCH_NORM, Training

FEW = 10  # steps: a shorter run may be an extract of a longer one


def _with_rate(training: Training) -> list[list[Step]]:
    return [[s for s in steps if s.rate is not None] for steps in training.by_optimizer.values()]


def ends_early(training: Training) -> Evidence | None:
    """The rate is zero in the last steps, and wasn't before."""
    for steps in _with_rate(training):
        last = next((i for i in range(len(steps), 0, -1) if steps[i - 1].rate), 0)
        rest = steps[last:]
        if last and len(rest) > 1:
            has_one = any(step.chores.get("schedulers") for step in rest)
            return Evidence(
                f"the learning rate is 0 in the last {len(rest)} of {len(steps)} steps, from step "
                f"{rest[0].number} on",
                [s.number for s in rest],
                is_plain=has_one,  # whoever sets it by hand may let statistics settle
            )
    return None


def _all_zero(training: Training) -> bool:
    steps = [step for steps in _with_rate(training) for step in steps]
    return 2 <= len(steps) == len(training.steps) and not any(s.rate for s in steps)


def _has_begun(training: Training) -> bool:
    """Whether no scheduler is there that was stepped once at most, as by epochs in a first one."""
    return not any(one.last <= 1 for one in schedulers_of(training))


def always_zero(training: Training) -> Evidence | None:
    """The rate is zero in each step of each optimizer."""
    if not (_all_zero(training) and _has_begun(training)):
        return None
    # A run at no rate may be for the running statistics alone.
    moves = any(name.endswith(BATCH_NORM) for name in training.moving)
    return Evidence(
        f"the learning rate is 0 in all {len(training.steps)} steps"
        + (", in which running statistics move" if moves else ""),
        is_plain=not moves,
    )


def zero_until_then(training: Training) -> Evidence | None:
    """The rate is zero in all steps, of a run that is over before its schedule has begun."""
    if not _all_zero(training) or _has_begun(training):
        return None
    one = next(one for one in schedulers_of(training) if one.last <= 1)
    return Evidence(
        f"the learning rate is 0 in all {len(training.steps)} steps, in which {one.kind} was "
        f"stepped {one.last} times",
        values={"scheduler": one.kind, "stepped": one.last},
    )


def warms_up_to_the_end(training: Training) -> Evidence | None:
    """The rate rises in each step, to the last.

    So it does in a first try of a longer run, and in a search for a rate. It isn't meant where the
    schedule is made for no more steps than the run takes.
    """
    schedules = schedulers_of(training)
    warmups = [one.lengths[WARMUP] for one in schedules if type(one.lengths.get(WARMUP)) is int]
    warmup = max(warmups, default=None)
    lengths = [one.length for one in schedules if one.length is not None]
    for steps in _with_rate(training):
        rates = [float(s.rate or 0) for s in steps]
        pairs = pairwise(rates)
        if len(rates) < FEW or not all(one < other for one, other in pairs):
            continue
        if 2 * rates[0] <= rates[-1] and (warmup is None or warmup >= len(rates)):
            made = "" if warmup is None else f"; its warm-up is {warmup} steps"
            return Evidence(
                f"the learning rate rises in each of {len(rates)} steps, from {rates[0]:.3g} to "
                f"{rates[-1]:.3g}{made}",
                values={"first": rates[0], "last": rates[-1], "warmup_steps": warmup},
                is_plain=bool(warmup and lengths) and max(lengths) * NEAR <= len(rates),
            )
    return None


FINDINGS = (
    Finding(
        name="schedule-ends-early",
        level=Level.LIKELY,
        claim="the learning rate is zero before the run ends",
        link="schedule: where the rate ends",
        remedy="make the schedule for all steps of the optimizer: batches, rounded up, by epochs, "
        "and stepped once for each of them",
        find=ends_early,
        or_look=True,
    ),
    Finding(
        name="rate-is-zero",
        level=Level.WRONG,
        claim="the learning rate is zero in every step",
        link="schedule: the rates",
        remedy="give the optimizer a learning rate, and see that a warm-up gets beyond its start",
        find=always_zero,
        or_look=True,
    ),
    Finding(
        name="rate-is-zero-so-far",
        level=Level.LOOK,
        claim="the learning rate is zero until the run ends, which its schedule outlasts",
        link="schedule: the rates",
        remedy="nothing, where the run is a first try; else begin the warm-up above zero: its "
        "whole first epoch is for nothing",
        find=zero_until_then,
    ),
    Finding(
        name="warmup-longer-than-run",
        level=Level.LIKELY,
        claim="the learning rate rises to the end of the run",
        link="schedule: whether the rate gets to its top",
        remedy="make the warm-up a small part of the steps that the run takes; nothing, where this "
        "is a first try of a longer run, or a search for a rate",
        find=warms_up_to_the_end,
        or_look=True,
    ),
)
