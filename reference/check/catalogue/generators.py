"""Random numbers: a generator that is set back at each step, or at each epoch."""

from dataclasses import dataclass
from itertools import pairwise

from reference.check.finding import Evidence, Finding, Level, in_steps
from reference.check.training import Training

FEW = 3  # steps that begin with one state, until it is none by chance


@dataclass(frozen=True)
class Again:
    """A generator whose states come again, in steps that draw from it.

    Attributes:
        name: Of the generator.
        next: The steps that begin as the step before.
        later: Those that begin as some earlier step.
        drew: How many steps draw from it.
    """

    name: str
    next: list[int]
    later: list[int]
    drew: int


def _again(training: Training) -> list[Again]:
    found = []
    for name in sorted({name for step in training.steps for name in step.rng}):
        drew = [s for s in training.steps if name in s.rng and s.rng[name][1]]
        states = [str(step.rng[name][0]) for step in drew]
        following = [
            s.number for s, (a, b) in zip(drew[1:], pairwise(states), strict=True) if a == b
        ]
        known: set[str] = set()
        later = []
        for step, state in zip(drew, states, strict=True):
            if state in known:
                later.append(step.number)
            known.add(state)
        found.append(Again(name, following, later, len(drew)))
    return found


def reset_each_step(training: Training) -> Evidence | None:
    """Nearly all steps that draw begin with the state of the step before."""
    for again in _again(training):
        if len(again.next) >= FEW and len(again.next) > again.drew / 2:
            return Evidence(
                f"{in_steps(again.next, again.drew)} that draw numbers, the generator of "
                f"{again.name} begins as in the step before: dropout draws the same masks again",
                again.next,
                {"generator": again.name},
            )
    return None


def reset_at_times(training: Training) -> Evidence | None:
    """Some steps that draw begin with a state that was there before: those of each epoch, say."""
    if reset_each_step(training) is not None:
        return None
    for again in _again(training):
        if again.later:
            return Evidence(
                f"{in_steps(again.later, again.drew)} that draw numbers, the generator of "
                f"{again.name} begins as in an earlier step",
                again.later,
                {"generator": again.name},
            )
    return None


FINDINGS = (
    Finding(
        name="generator-reset-each-step",
        level=Level.LIKELY,
        claim="the random generator is set back at each step",
        link="rng: whether a state comes again",
        remedy="seed once, before the loop",
        find=reset_each_step,
    ),
    Finding(
        name="generator-reset",
        level=Level.LOOK,
        claim="the random generator is set back in some steps",
        link="rng: whether a state comes again",
        remedy="seed once, before the loop, and not at each epoch or evaluation",
        find=reset_at_times,
    ),
)
