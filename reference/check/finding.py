"""What a finding is: something that one ledger by itself shows to be wrong, with its evidence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from reference.check.training import Training

SHOWN = 4  # names in a line


class Level(IntEnum):
    """How sure it is that something is wrong; the most serious first."""

    WRONG = 0  # no training is meant to be so
    LIKELY = 1  # almost always a mistake
    LOOK = 2  # often meant; somebody should know

    @property
    def word(self) -> str:
        """As it is printed."""
        return self.name.lower()


@dataclass(frozen=True)
class Evidence:
    """What shows a finding.

    Attributes:
        words: One sentence, with steps and values.
        steps: Those in which it shows; empty where it is of the whole run.
        values: What the sentence says, by name.
        is_plain: Whether it leaves no sound reading. Where it leaves one, the finding is only to be
            looked at.
    """

    words: str
    steps: Sequence[int] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    is_plain: bool = True


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that not every ledger holds.

    Attributes:
        is_there: Whether this training's does.
        lacking: What to say where it doesn't.
    """

    is_there: Callable[[Training], bool]
    lacking: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that may be wrong: an entry of the registry.

    Attributes:
        name: In small letters, with hyphens.
        level: How sure it is.
        or_look: Whether some evidence for it leaves a sound reading, and is only to be looked at.
        claim: What is wrong, in one sentence without a full stop.
        link: Where the ledger shows it, or what of it: what was looked at.
        remedy: What to do, in one sentence without a full stop.
        find: From a training to its evidence; None where there is none.
        needs: What the ledger must hold for it. Without that nothing is said but that.
        across_ranks: It holds the ranks of a run against each other: asked once, of the first.
    """

    name: str
    level: Level
    claim: str
    link: str
    remedy: str
    find: Callable[[Training], Evidence | None]
    or_look: bool = False
    needs: tuple[Need, ...] = ()
    across_ranks: bool = False

    def level_of(self, evidence: Evidence) -> Level:
        """How sure it is by this evidence.

        Raises:
            ValueError: The evidence leaves a sound reading, and the entry doesn't say that it may.
        """
        if not (evidence.is_plain or self.or_look):
            raise ValueError(f"{self.name}: evidence that isn't plain; set or_look in its entry")
        return self.level if evidence.is_plain else Level.LOOK


CHORES = Need(
    is_there=lambda training: any(step.kept_chores is not None for step in training.steps),
    lacking="the ledger was kept before a loop's chores were; observe the script again",
)
SCHEDULERS = Need(
    is_there=lambda training: "program" in training.header,
    lacking="schedulers are looked for only where a script is observed",
)
LOSSES = Need(
    is_there=lambda training: any(step.losses for step in training.steps),
    lacking="no loss was seen: a function made it of the outputs, and no module",
)
SCALES = Need(
    is_there=lambda training: (
        any("scales" in step.chores for step in training.steps if step.backward_passes > 1)
        or all(step.backward_passes < 2 for step in training.steps)
    ),
    lacking="no loss was seen: a function made it of the outputs, and no module",
)
SETTINGS = Need(
    is_there=lambda training: bool(training.settings),
    lacking="the ledger was kept before the settings of modules were",
)


def in_steps(steps: Sequence[int], of: int) -> str:
    """As in 'in every step', 'in step 3' or 'in 5 of 20 steps, first step 2'."""
    if len(steps) == of:
        return "in every step" if of > 1 else "in the only step"
    if len(steps) == 1:
        return f"in step {steps[0]}"
    return f"in {len(steps)} of {of} steps, first step {steps[0]}"


def some_of(names: Sequence[str]) -> str:
    """As in 'a, b, c, d and 3 more'."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def count_of(number: int, thing: str) -> str:
    """As in '1 parameter' or '3 parameters'; for things whose plural is made by an s."""
    return f"{number} {thing}{'s' * (number != 1)}"
