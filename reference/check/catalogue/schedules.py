"""Schedules: never stepped, stepped too early or too seldom, at an end before the run's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reference.check.finding import CHORES, SCHEDULERS, Evidence, Finding, Level
from reference.check.step import Step
from reference.check.training import Training

FEW = 10  # steps: a shorter run may be an extract of a longer one
NEAR = 0.8  # of the steps, for which a schedule is made that is made for steps
BY_STEPS = ("num_training_steps", "total_steps")  # lengths that are counted in steps
LENGTHS = (*BY_STEPS, "total_iters", "T_max")
WARMUP = "num_warmup_steps"


@dataclass(frozen=True)
class Stepped:
    """One optimizer's scheduler: how often it was stepped when the optimizer did."""

    kind: str
    steps: list[Step]
    counts: list[int]
    last: int  # after the last step
    lengths: Mapping[str, Any]  # what it is made for, by name

    @property
    def length(self) -> int | None:
        """The steps that it is made for; None where it has no end, or doesn't say."""
        known = (self.lengths.get(name) for name in LENGTHS)
        return next((length for length in known if type(length) is int), None)

    @property
    def is_by_steps(self) -> bool:
        """Whether its length is one of steps, and not perhaps of epochs."""
        return any(type(self.lengths.get(name)) is int for name in BY_STEPS)

    @property
    def first_step(self) -> Step:
        """The first that the scheduler was seen in."""
        return self.steps[0]


def schedulers_of(training: Training) -> list[Stepped]:
    """Of each optimizer that has just one."""
    found = []
    for steps in training.by_optimizer.values():
        seen = [s for s in steps if len(s.chores.get("schedulers", ())) == 1]
        if seen:
            each = [s.chores["schedulers"][0] for s in seen]
            last = each[-1].get("next", each[-1]["count"])
            counts = [one["count"] for one in each]
            lengths = each[0].get("lengths", {})
            found.append(Stepped(each[0]["class"], seen, counts, last, lengths))
    return found


def never_stepped(training: Training) -> Evidence | None:
    """Its count is the same at the end as when it was made.

    One that is made for epochs, or for later, may have no turn in a short run.
    """
    for one in schedulers_of(training):
        if len(one.steps) > 1 and one.last == 0 and not any(one.counts):
            return Evidence(
                f"{one.kind} is there and was never stepped in {len(one.steps)} steps; the "
                f"learning rate stays {one.first_step.rate}",
                values={"scheduler": one.kind, "learning_rate": one.first_step.rate},
                is_plain=one.is_by_steps and training.whole,
            )
    return None


def before_optimizer(training: Training) -> Evidence | None:
    """It was stepped once when the optimizer takes its first step, and once for each from then."""
    for one in schedulers_of(training):
        first = one.first_step
        fresh = not first.chores.get("state", {"parameters": 1})["parameters"]
        if fresh and one.counts[0] == 1 and len(one.counts) > 1 and one.counts[1] == 2:
            base = next(iter(first.stepped.get("base_learning_rate", ())), None)
            return Evidence(
                f"{one.kind} was already stepped when the optimizer takes its first step: at a "
                f"rate of {first.rate}, where its base is {base}",
                [first.number],
                {"scheduler": one.kind, "learning_rate": first.rate, "base": base},
            )
    return None


def too_seldom(training: Training) -> Evidence | None:
    """It is made for as many steps as the optimizer takes, and stepped far fewer times."""
    for one in schedulers_of(training):
        length, taken = one.length, len(one.steps)
        stepped = one.last - one.counts[0]
        if length is None or not stepped or taken < FEW:
            continue
        if length >= NEAR * taken and 2 * stepped < taken and one.last < length / 2:
            return Evidence(
                f"{one.kind} is made for {length} steps and was stepped {stepped} times in "
                f"{taken} steps of the optimizer; the rate ends at {one.steps[-1].rate}",
                values={"scheduler": one.kind, "made_for": length, "stepped": stepped},
                is_plain=one.is_by_steps,
            )
    return None


def longer(training: Training) -> Evidence | None:
    """It is made for more steps than the run took to its own end."""
    for one in schedulers_of(training):
        length, taken = one.length, len(one.steps)
        stepped = one.last - one.counts[0]
        each_step = stepped >= NEAR * taken
        is_last = one.steps[-1] is training.steps[-1]
        if not (training.whole and is_last and length and each_step and taken >= FEW):
            continue
        if one.last < NEAR * length and one.steps[-1].rate:
            return Evidence(
                f"{one.kind} is made for {length} steps, and the run is over after {one.last}, at "
                f"a rate of {one.steps[-1].rate:.3g}",
                values={"scheduler": one.kind, "made_for": length, "steps": one.last},
            )
    return None


FINDINGS = (
    Finding(
        name="schedule-never-stepped",
        level=Level.LIKELY,
        claim="the learning rate never moves, though there is a scheduler",
        link="schedule: how often the scheduler is stepped",
        remedy="call lr_scheduler.step() after optimizer.step()",
        find=never_stepped,
        or_look=True,
        needs=(CHORES, SCHEDULERS),
    ),
    Finding(
        name="schedule-before-optimizer",
        level=Level.LIKELY,
        claim="the scheduler is stepped before the optimizer",
        link="schedule: whether it moves before the optimizer",
        remedy="call lr_scheduler.step() after optimizer.step(): the first rate is skipped",
        find=before_optimizer,
        needs=(CHORES, SCHEDULERS),
    ),
    Finding(
        name="schedule-too-seldom",
        level=Level.LIKELY,
        claim="the scheduler is made for steps, and stepped once an epoch or less",
        link="schedule: how often the scheduler is stepped",
        remedy="call lr_scheduler.step() after each optimizer.step(), inside the loop of batches",
        find=too_seldom,
        or_look=True,
        needs=(CHORES, SCHEDULERS),
    ),
    Finding(
        name="schedule-longer-than-run",
        level=Level.LOOK,
        claim="the schedule is made for more steps than the run has",
        link="schedule: where the rate ends",
        remedy="make it for the steps of this run, also where epochs and accumulation change",
        find=longer,
        needs=(CHORES, SCHEDULERS),
    ),
)
