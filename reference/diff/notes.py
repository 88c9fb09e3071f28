"""What a reader must know beside a verdict: values, not yet words.

A side is 0 for the first run and 1 for the second. `note_text.py` puts them into words.
"""

from dataclasses import dataclass
from typing import Any

from reference.diff.evidence import Contradiction, HeaderDifference, LackingRanks
from reference.diff.inside_notes import Inside
from reference.diff.replica_notes import OfRanks
from reference.diff.unequal import Unequal


@dataclass(frozen=True)
class BeginsLater:
    """A run that goes on from a step of the other, from which on the two are compared.

    Attributes:
        side: Which run goes on.
        step: After which step of the other.
        candidates: After how many steps the other had just these weights; the last one is taken.
        given: Somebody said so; else its first weights do.
    """

    side: int
    step: int
    candidates: int
    given: bool


@dataclass(frozen=True)
class ModelsOfOneEnd:
    """Models of a class that don't train, or copies: how many each run has at its end."""

    kind: str
    copies: bool
    first: int
    second: int


@dataclass(frozen=True)
class MatchedByPosition:
    """A parameter of both runs that they call by two names."""

    left: str
    right: str


@dataclass(frozen=True)
class NoModelInCommon:
    """Links that need the same model weren't compared."""


@dataclass(frozen=True)
class PartBeside:
    """The first step whose outputs are unequal in two runs of models that don't fit."""

    step: int
    what: Unequal


@dataclass(frozen=True)
class UnusedModel:
    """A model that one run alone has, and that takes part in no step.

    With `whole` in none of the run, else in none until the two part.
    """

    side: int
    kind: str
    parameters: int
    whole: bool


@dataclass(frozen=True)
class Lengths:
    """How many steps two runs have that part before the end of the shorter one."""

    first: int
    second: int


@dataclass(frozen=True)
class MissingLinks:
    """Links that the ledgers of these sides lack somewhere."""

    sides: tuple[int, ...]
    links: tuple[str, ...]


@dataclass(frozen=True)
class UnseenPass:
    """A pass that couldn't be recorded, in this step or in an evaluation after it."""

    side: int
    step: int
    in_evaluation: bool
    why: str


@dataclass(frozen=True)
class UnknownFields:
    """Fields of a newer ledger that this schema doesn't know."""

    side: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class MoreEvaluations:
    """Evaluations that one run made alone: how many, and after which step the first."""

    side: int
    count: int
    step: int


@dataclass(frozen=True)
class MoreRows:
    """Rows that one run evaluated and the other didn't."""

    side: int
    count: int


@dataclass(frozen=True)
class UncalledParameters:
    """Parameters that an optimizer moves in steps of passes that don't use them, the first so."""

    side: int
    count: int
    step: int


@dataclass(frozen=True)
class PassesOfOne:
    """Forward passes in equal steps that one run alone makes: how many, and in which step first."""

    first: int
    second: int
    step: int


@dataclass(frozen=True)
class PaddedOtherwise:
    """Rows of equal evaluations, the first after this step, end with other numbers of zeros.

    No mask says that these are padding.
    """

    step: int


@dataclass(frozen=True)
class SetsInOtherOrder:
    """Equal sets of rows that the two runs evaluate in another order, the first after this step."""

    step: int


@dataclass(frozen=True)
class NotLookedInto:
    """What of evaluations, the first after this step, is of a type that can't be read."""

    name: str
    step: int


@dataclass(frozen=True)
class GeneratedInOtherBatches:
    """Evaluations, the first after this step, go on from pass to pass in other batches."""

    step: int


@dataclass(frozen=True)
class OfOtherBatches:
    """What of evaluations, the first after this step, goes by the batch, in other batches."""

    names: tuple[str, ...]
    step: int


@dataclass(frozen=True)
class WithoutEffect:
    """What was unequal in steps that came out equal.

    Attributes:
        what: The field, without values, which may be others in each step.
        only_in_one: Only one run has it.
        steps: In how many steps.
        first: In which one first, from 1.
        whole: Both runs are equal to their ends; else until they part.
    """

    what: Unequal
    only_in_one: bool
    steps: int
    first: int
    whole: bool


@dataclass(frozen=True)
class NothingEvaluated:
    """Neither run called a model to evaluate it."""


@dataclass(frozen=True)
class NoScores:
    """What models gave in evaluations is equal, and nobody told what the runs made of it."""


@dataclass(frozen=True)
class Unsealed:
    """Ledgers, of these sides, that were written before there was a seal."""

    sides: tuple[int, ...]


@dataclass(frozen=True)
class TensorsOfOneEnd:
    """Tensors of models that only one run's last step used: how many, and the first's name."""

    count: int
    first: str


@dataclass(frozen=True)
class OlderEnd:
    """Ledgers, of these sides, whose ends have neither optimizers nor saved weights."""

    sides: tuple[int, ...]


@dataclass(frozen=True)
class UnreadOptimizer:
    """An optimizer whose state couldn't be read at the end: its class, and why."""

    side: int
    kind: str
    why: str


@dataclass(frozen=True)
class HyperAtEnd:
    """A hyper-parameter that is unequal after the last step, and wasn't in any."""

    field: str
    left: Any
    right: Any


@dataclass(frozen=True)
class GeneratorsAtEnd:
    """Generators that were equal in the last step, and are left in unequal states."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class GradientsAtEnd:
    """Gradients that are left after the last step: how many are unequal, and the first.

    Attributes:
        count: How many are unequal.
        total: Of how many parameters.
        first: The first one's name.
        none: The side on which that one is none, or zeros; None where neither is.
    """

    count: int
    total: int
    first: str
    none: int | None


@dataclass(frozen=True)
class OtherParts:
    """A model whose tensors are equal at the end, and that is made of other modules.

    Attributes:
        model: Its name.
        count: How many modules are of unequal classes, or in one run only.
        first: The path of the first one.
        left: Its class in the first run; None where there is none.
        right: In the second run.
    """

    model: str
    count: int
    first: str
    left: str | None
    right: str | None


@dataclass(frozen=True)
class FilesOfOneEnd:
    """Files of weights that only one run has written, or that couldn't be read.

    Attributes:
        side: Which run.
        count: How many.
        first: The first one's name; empty for what was written into memory.
        why: Why they couldn't be read; empty where the other run has no such file.
    """

    side: int
    count: int
    first: str
    why: str


@dataclass(frozen=True)
class OtherRanks:
    """The verdict on ranks beside the one that is named, and where they part, if they do."""

    ranks: tuple[int, ...]
    verdict: str
    step: int | None
    link: str | None


@dataclass(frozen=True)
class OneRankAlone:
    """A ledger of one process of several; nobody gave those of the others."""

    side: int
    processes: int


@dataclass(frozen=True)
class OnRank:
    """What must be known of one rank alone."""

    rank: int
    note: "Note"


@dataclass(frozen=True)
class Envelope:
    """How far apart two runs of the same thing are at most: 'link field' and the distance."""

    distances: tuple[tuple[str, float], ...]


Note = (
    HeaderDifference
    | MatchedByPosition
    | NoModelInCommon
    | UnusedModel
    | Lengths
    | MissingLinks
    | UnseenPass
    | UnknownFields
    | MoreEvaluations
    | MoreRows
    | UncalledParameters
    | PassesOfOne
    | PaddedOtherwise
    | SetsInOtherOrder
    | NotLookedInto
    | GeneratedInOtherBatches
    | OfOtherBatches
    | WithoutEffect
    | Contradiction
    | BeginsLater
    | PartBeside
    | Inside
    | NothingEvaluated
    | NoScores
    | Unsealed
    | TensorsOfOneEnd
    | ModelsOfOneEnd
    | OlderEnd
    | UnreadOptimizer
    | HyperAtEnd
    | GeneratorsAtEnd
    | GradientsAtEnd
    | OtherParts
    | FilesOfOneEnd
    | LackingRanks
    | OtherRanks
    | OneRankAlone
    | OnRank
    | Envelope
    | OfRanks
)
