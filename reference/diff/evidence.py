"""What the reason for a verdict rests on: values, not yet words.

A side is 0 for the first run and 1 for the second. `verdict_text.py` puts them into words.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class HeaderDifference:
    """A field of the headers that is unequal."""

    field: str
    left: Any
    right: Any


@dataclass(frozen=True)
class ParametersDiffer:
    """The first parameter, [name, shape], in which two models differ that fit nowhere."""

    left: list[Any] | None
    right: list[Any] | None


@dataclass(frozen=True)
class TrainedInOne:
    """A parameter that is trained, and that the other run's same model lacks."""

    name: str


OtherModels = ParametersDiffer | TrainedInOne  # why tensors can't be compared


class Sum(StrEnum):
    """What a record gives of its tensors, besides each of them."""

    LINES = "lines"
    HASH = "hash"
    NORM = "norm"


@dataclass(frozen=True)
class Contradiction:
    """A record whose hash or norm isn't that of its tensors: edited, or of another program.

    With Sum.LINES it is the end, whose seal isn't that of the lines before it.
    """

    side: int
    step: int
    link: str
    what: Sum


@dataclass(frozen=True)
class ChangedTensors:
    """How many tensors changed after the last step, of how many, and the first's name."""

    count: int
    total: int
    first: str


@dataclass(frozen=True)
class OtherAtEnd:
    """A model that holds something else at the end, whatever the steps did.

    Attributes:
        model: Its name.
        count: How many of its tensors are unequal.
        total: How many it has.
        first: The name of the first one that is unequal.
        forms: The type and shape of that one in both runs; 'none' where it isn't there.
        trained: Whether an optimizer moved it; else it is a copy, an average, or frozen.
    """

    model: str
    count: int
    total: int
    first: str
    forms: tuple[str, str]
    trained: bool


@dataclass(frozen=True)
class OptimizerAtEnd:
    """What an optimizer keeps that is something else at the end, whatever the steps did.

    Attributes:
        value: What it calls the first such thing, as `exp_avg`.
        count: For how many parameters it is unequal.
        total: For how many parameters both runs keep something.
        first: The first of them; None for what is kept for no parameter.
        values: A number as it is, else a hash; None where it isn't kept.
    """

    value: str
    count: int
    total: int
    first: str | None
    values: tuple[str | None, str | None]


@dataclass(frozen=True)
class LackingRanks:
    """The ranks whose ledger isn't there, of the first run and of the second."""

    first: tuple[int, ...]
    second: tuple[int, ...]

    @property
    def any(self) -> bool:
        """Whether a ledger of either run isn't there."""
        return bool(self.first or self.second)


# What a reason rests on: the models, the contradiction, the headers, the tensors; or why recording
# ended, in the observer's words.
Evidence = (
    OtherModels
    | Contradiction
    | tuple[HeaderDifference, ...]
    | ChangedTensors
    | OtherAtEnd
    | OptimizerAtEnd
    | LackingRanks
    | str
)
