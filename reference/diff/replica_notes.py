"""What is to be said of the ranks of one run: values, not yet words (`replica_text.py`)."""

from dataclasses import dataclass
from enum import StrEnum

from reference.diff.unequal import Unequal


class Why(StrEnum):
    """Why a rank isn't held against another."""

    NO_STEPS = "took no step"
    OTHER_MODELS = "trains different parameters"
    NOT_SHARED = "shares no gradients with it"
    ALONE = "begins with the same weights, and never has a gradient or weights in common with it"
    SHARDS = "holds shards of its own"
    NOT_TOLD = "had no pass of its own by which to tell"
    TOGETHER_AGAIN = "comes together with it again after they part"


@dataclass(frozen=True)
class NoReplicas:
    """Ranks that aren't held against the first one, or against any if it is one of them."""

    ranks: tuple[int, ...]
    first: int
    why: Why


@dataclass(frozen=True)
class RanksPart:
    """Ranks of a run that part from its others, though they should be equal.

    Attributes:
        side: Of which run they are; None where there is just one.
        ranks: Those that part, or the ones of fewer ranks.
        others: The rest of those that should be equal.
        of_values: Of which ranks the two values are.
        step: From 1.
        link: The first that is unequal in it.
        unequal: Its unequal fields.
    """

    side: int | None
    ranks: tuple[int, ...]
    others: tuple[int, ...]
    of_values: tuple[int, int]
    step: int
    link: str
    unequal: tuple[Unequal, ...]


@dataclass(frozen=True)
class EndsEarly:
    """Ranks whose ledger has no whole end: killed, failed, or damaged."""

    ranks: tuple[int, ...]


@dataclass(frozen=True)
class OtherLengths:
    """Replicas of unequal numbers of steps: the fewest and the most."""

    fewest: int
    most: int


OfRanks = NoReplicas | RanksPart | EndsEarly | OtherLengths
