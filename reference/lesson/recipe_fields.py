"""What a recipe's field is beside its name, type and default: its meaning, choices and bounds.

`python -m reference train --help` prints the meanings, `Recipe` holds its values to the rest.
"""

import dataclasses
import math
import sys
import typing
from dataclasses import dataclass
from typing import Any

from reference.errors import InputError
from reference.messages import brief, near

# The parts of the help, in the order in which they are printed.
DATA = "task and data"
MODEL = "model"
OPTIMIZER = "optimizer"
SCHEDULE = "length and schedule"
MACHINE = "precision and machine"
GROUPS = (DATA, MODEL, OPTIMIZER, SCHEDULE, MACHINE)


@dataclass(frozen=True)
class Bounds:
    """The numbers from `low` to `high`; `above` leaves `low` itself out, and `below` `high`."""

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def hold(self, value: float) -> bool:
        """Whether a number lies within; NaN and the infinities never do."""
        # A whole number may be larger than a float can be.
        within = self.low <= value <= self.high and abs(value) <= sys.float_info.max
        at_an_open_end = (self.above and value == self.low) or (self.below and value == self.high)
        return within and not at_an_open_end

    def __str__(self) -> str:
        bottom = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        if self.high == math.inf:
            return bottom
        return f"{bottom} and {'below' if self.below else 'at most'} {self.high:.15g}"


@dataclass(frozen=True)
class About:
    """What the help says of a field, and the values that it takes."""

    group: str  # one of GROUPS
    meaning: str  # one or two sentences, for the help
    choices: tuple[str, ...] = ()  # empty: any value of the type
    bounds: Bounds | None = None


def words(default: str, group: str, meaning: str) -> Any:
    """A field of text that is checked where it is used, as a folder's name is."""
    return _field(default, About(group, meaning))


def choice(default: str, *others: str, group: str, meaning: str) -> Any:
    """A field that is one of a few words."""
    return _field(default, About(group, meaning, (default, *others)))


def number(default: float | None, bounds: Bounds, group: str, meaning: str) -> Any:
    """A field that is a number within bounds, or None where its type says so."""
    return _field(default, About(group, meaning, bounds=bounds))


def _field(default: Any, about: About) -> Any:
    return dataclasses.field(default=default, metadata={"about": about})


def about(field: "dataclasses.Field[Any]") -> About:
    """What is known of a field that `words`, `choice` or `number` made."""
    known: About = field.metadata["about"]
    return known


def kinds(hint: Any) -> tuple[type, ...]:
    """The types of which a value may be, out of a field's type hint."""
    return typing.get_args(hint) or (hint,)


def check(name: str, about: About, hint: Any, value: Any) -> None:
    """Raise InputError unless `value` has the field's type and is one of its values."""
    allowed = kinds(hint)
    # `type` and not `isinstance`: True is no number. A whole number stands for a float.
    if type(value) not in allowed and not (type(value) is int and float in allowed):
        names = " or ".join(kind.__name__ for kind in allowed)
        raise InputError(f"{name}: {brief(value)} is not of type {names}")
    if about.choices and value not in about.choices:
        known = ", ".join(about.choices)
        raise InputError(f"{name}: {brief(value)} is none of {known}{near(value, about.choices)}")
    if about.bounds is not None and value is not None and not about.bounds.hold(value):
        raise InputError(f"{name}: {brief(value)} makes no sense; give a number {about.bounds}")


def parse(name: str, hint: Any, words: str) -> Any:
    """A field's value out of a command line's text, or of a YAML file's.

    Raises:
        InputError: the text isn't a number where the field is one.
    """
    allowed = kinds(hint)
    if type(None) in allowed and words.lower() in ("none", "null"):
        return None
    kind = next(kind for kind in allowed if kind is not type(None))
    try:
        return kind(words)
    except ValueError:
        raise InputError(
            f"{name}: {brief(words)} is not a number of type {kind.__name__}"
        ) from None
