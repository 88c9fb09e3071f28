"""Where two runs part within a forward pass: values, not yet words.

`inside_calls.py` finds them, and `inside_text.py` puts them into words.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class ModuleName:
    """A module of both runs: its name ('' for the model itself), and its class in each.

    Without a class it is no module, but what calls the model, and the losses after it.
    """

    name: str
    kinds: tuple[str, str]


@dataclass(frozen=True)
class Setting:
    """A plain attribute of a module that is unequal; None in a run whose module lacks it."""

    of: str
    field: str
    left: str | None
    right: str | None


@dataclass(frozen=True)
class Value:
    """The first unequal input or output of a call; None where it isn't there."""

    name: str
    left: str | None
    right: str | None


class How(StrEnum):
    """Where in a module the two part."""

    OUTPUT = "output"  # it calls no module, or none that is unequal, and gives something else
    BEFORE = "before"  # it calls a part of its own with something else
    CALLS = "calls"  # it calls other parts


@dataclass(frozen=True)
class PartsInside:
    """The first place within a forward pass at which two runs are unequal.

    Attributes:
        module: What goes into it is equal, and so is all that its parts did before.
        how: In what it parts.
        value: The unequal output (OUTPUT) or what it calls `part` with (BEFORE).
        part: The part that it calls then: in the first run, and in the second; None for none.
        settings: Unequal settings of it, or of its parts, or else of any module before it.
        settings_elsewhere: These settings are of modules beside it.
        argument: A plain value that only one run gives to it.
        first_output: The first module whose output is unequal, where it isn't `module`.
        drew: Torch's generators stood elsewhere when it, or `first_output`, was called.
        has_parts: It calls parts.
        only: A call that only one run makes before that: its side, and the module.
        forward_pass: Which pass of the step, from 1; None where it has one.
        unread: How many values of the calls before couldn't be read.
    """

    module: ModuleName
    how: How
    value: Value | None = None
    part: tuple[ModuleName | None, ModuleName | None] = (None, None)
    settings: tuple[Setting, ...] = ()
    settings_elsewhere: bool = False
    argument: Value | None = None
    first_output: ModuleName | None = None
    drew: bool = False
    has_parts: bool = False
    only: tuple[int, ModuleName] | None = None
    forward_pass: int | None = None
    unread: int = 0


@dataclass(frozen=True)
class EqualInside:
    """All calls of modules in the step's forward passes are equal, as far as they are recorded.

    Attributes:
        calls: How many.
        settings: Unequal settings all the same.
        unread: How many of their values couldn't be read.
    """

    calls: int
    settings: tuple[Setting, ...]
    unread: int


@dataclass(frozen=True)
class CutInside:
    """Calls of modules that a ledger doesn't list: how many, or why there are no more."""

    side: int
    left_out: int
    lost: str


@dataclass(frozen=True)
class NotInside:
    """Neither ledger, or not both, holds what happened inside the forward passes of a step."""

    step: int
    only: int | None  # the side that does


Inside = PartsInside | EqualInside | CutInside | NotInside
