"""What a divergence follows from, as far as two ledgers tell: values, not yet words.

A side is 0 for the first run and 1 for the second. `cause_text.py` puts them into words.
"""

from dataclasses import dataclass

from reference.diff.unequal import Unequal


@dataclass(frozen=True)
class BatchAgain:
    """A batch that the same run had before, where the other has one that is new to it."""

    side: int
    step: int
    earlier: int


@dataclass(frozen=True)
class Untied:
    """A parameter of one run alone that begins with the values of another of the same run."""

    side: int
    name: str
    like: str


@dataclass(frozen=True)
class PartBeside:
    """The first step whose outputs are unequal in two runs of models that don't fit."""

    step: int
    what: Unequal


@dataclass(frozen=True)
class RowsAgain:
    """How many rows of an unequal input each run had in earlier steps, of how many."""

    field: str
    total: int
    first: int
    second: int


@dataclass(frozen=True)
class WeightsWere:
    """Weights before a step that are those after an earlier one of the same run."""

    side: int
    step: int
    earlier: int


@dataclass(frozen=True)
class LikeAnother:
    """A tensor that has the values of another: of the same run, or of the other one.

    Attributes:
        side: The run that has it.
        name: Of the tensor.
        whose: The run that has the other tensor.
        like: The name of the other tensor.
        count: How many such tensors there are.
    """

    side: int
    name: str
    whose: int
    like: str
    count: int


@dataclass(frozen=True)
class NotZeroed:
    """A run whose gradients weren't zeroed after a step, as the other's were."""

    side: int
    step: int


@dataclass(frozen=True)
class DrewNumbers:
    """A run whose step drew from these generators, as the other's didn't."""

    side: int
    generators: tuple[str, ...]


@dataclass(frozen=True)
class OnlyThisLink:
    """A link that is unequal though all before it in its step is equal."""

    link: str
    step: int


@dataclass(frozen=True)
class OtherArgument:
    """A plain argument of a forward pass that is unequal.

    Attributes:
        name: Its name.
        left: The first run's value; None where it isn't given, or is the default.
        right: The second run's.
        forward_pass: Of which pass of the step, from 1; None where there is just one.
        before: It was so in the step before, which was equal all the same.
    """

    name: str
    left: object
    right: object
    forward_pass: int | None
    before: bool


@dataclass(frozen=True)
class OtherSetting:
    """What a module is set to, where it is unequal.

    Attributes:
        name: The module's path and the attribute's name.
        left: The first run's value; None where it has no such module.
        right: The second run's.
        before: It was so in the step before, which was equal all the same.
    """

    name: str
    left: object
    right: object
    before: bool


@dataclass(frozen=True)
class MoreSettings:
    """How many more settings are unequal."""

    count: int


Cause = (
    BatchAgain
    | Untied
    | PartBeside
    | RowsAgain
    | WeightsWere
    | LikeAnother
    | NotZeroed
    | DrewNumbers
    | OnlyThisLink
    | OtherArgument
    | OtherSetting
    | MoreSettings
)
