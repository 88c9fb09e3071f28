"""What is compared (a pair of records), and what comes out of it (an unequal field).

A difference that does nothing isn't a deviation: a run in eval mode without dropout is the same
run, and so is one with another seed that nothing draws from. So each unequal field has a weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reference.ledger.record import Record


class Weight(StrEnum):
    """Whether an unequal field matters by itself."""

    HARD = "hard"  # the runs part here
    # They part here if a later link of the same step is unequal too, and else are the same run:
    # mode, generators, the class of the optimizer.
    SOFT = "soft"
    NOTE = "note"  # worth a word beside a divergence, never one itself


HARD, SOFT, NOTE = Weight.HARD, Weight.SOFT, Weight.NOTE

# Fields that other rules ask for by name.
FORWARD_PASSES = "forward passes"  # of `batch`: how many there are
IN_NO_GROUP = "in no group"  # of `optimizer`: whether a parameter is in none
COUNT = "count"  # of `metrics`: how many rows were evaluated


class Things(StrEnum):
    """What a share is a share of."""

    TENSORS = "tensors"
    BUFFERS = "buffers"
    PARAMETERS = "parameters"


@dataclass(frozen=True)
class Share:
    """How many of all the things that a link is about are unequal."""

    count: int
    total: int
    things: Things


@dataclass(frozen=True)
class Unequal:
    """One field of one link that is unequal, with both values.

    Attributes:
        link: The link that it is of.
        field: The name of the field, such as `input_ids`, `norm` or `eps`.
        left: The first run's value; None where it has none.
        right: The second run's value; None where it has none.
        weight: Whether it matters by itself.
        forward_pass: Of which forward pass of the step, from 1; None in a step of a single one.
        tensor: The name of the first parameter or buffer that is unequal, whose values these are.
        share: How many of them are unequal; None where all are, or where there is just one thing.
        words: What is unequal, in words, where the two values tell a reader less.
    """

    link: str
    field: str
    left: Any
    right: Any
    weight: Weight = HARD
    forward_pass: int | None = None
    tensor: str | None = None
    share: Share | None = None
    words: str = ""


@dataclass(frozen=True)
class RateDifference:
    """Where the learning rates of two runs part, which only the steps around a step can tell."""

    step: int  # at which they part: the one that is compared, or an earlier one
    unequal: Unequal


@dataclass(frozen=True)
class Pair:
    """The records of one step of two runs, or of one evaluation.

    Attributes:
        left: The first run's record.
        right: The second run's, its parameters in the first run's places.
        names: Of the parameters that both runs have, as the first one calls them.
        rate: Where the learning rates part, if they do.
        whole: The numbers of models that are the same one, with all its parameters, in both.
    """

    left: Record
    right: Record
    names: Sequence[str] = ()
    rate: RateDifference | None = None
    whole: frozenset[int] = frozenset()
