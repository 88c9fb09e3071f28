"""The verdict on two ledgers: one word, where the runs part, and why nothing more can be said."""

from dataclasses import dataclass
from enum import StrEnum

from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.divergence_curve import Point
from reference.diff.evidence import (
    Evidence,
)
from reference.diff.notes import Note
from reference.diff.unequal import Unequal
from reference.messages import as_html, folded


class Reason(StrEnum):
    """Why a verdict is what it is, where it isn't plainly that a link of a step is unequal."""

    NO_STEPS = "a ledger has no steps"
    # Bits of which nobody can say what they should be. With a step, it is the first unequal one.
    OTHER_MODELS = "the models have other parameters"
    OTHER_SURROUNDINGS = "the runs had other surroundings, where bits may differ"
    NEWER_SCHEMA = "a ledger is of a newer schema"
    # Equal as far as it goes.
    RECORDING_ENDED = "recording ended before the run did"
    CUT_SHORT = "a run was cut short, or failed"
    MISSING_LINKS = "a ledger lacks links"
    CONTRADICTION = "a record contradicts itself"
    OTHER_END = "the last weights are of other lists"
    MISSING_RANKS = "the ledger of a rank isn't there"
    # Equal in every step, and diverged after the last one.
    ONE_RUN_ENDS = "one run ends before the other"
    CHANGED_WEIGHTS = "the weights changed after the last step"
    CHANGED_BUFFERS = "buffers changed after the last step"
    CHANGED_OPTIMIZER = "an optimizer's state changed after the last step"
    # The ranks of one run, held against each other.
    REPLICAS = "the ranks that should be equal are"
    NO_REPLICAS = "no two ranks need be equal"
    EACH_ALONE = "each rank trains a model of its own"
    # By tolerance.
    WITHIN_ENVELOPE = "within the envelope"


@dataclass(frozen=True, repr=False)
class Verdict:
    """What two ledgers are to each other. `verdict_text.in_words` makes its words.

    At a prompt and in a notebook it shows what `python -m reference diff` prints.

    Attributes:
        verdict: `identical`, `diverged` or `incomparable`.
        steps: How many steps are equal in every link that was compared.
        step: Where the runs part, from 1; of an evaluation, the number of steps before it.
        link: The link in which they part.
        detail: What is unequal, or why nothing can be said, in words.
        cause: What it most likely comes from, in words; nothing where nothing is known.
        advice: What to look at, or to change, in words.
        suspects: The links in which the cause may lie, the likeliest first.
        unequal: The unequal fields of that step, as far as they were compared.
        notes: What a reader must know beside it, in words.
        curve: How the two go on after they parted.
        every_link: Every link was compared, and nothing else stands in the ledgers' steps.
        reason: None where it diverged plainly, in a link of a step, or is identical to the bit.
        evidence: What the reason rests on; None where the reason says it all.
        remarks: The values of which `notes` are the words.
        causes: All that it may come from, the likeliest first: `cause` is the words of that one.
        rank: Of which rank this is the verdict; None for a run of one process, or for all ranks.
        ranks: How many ranks were compared.
    """

    verdict: str
    steps: int = 0
    step: int | None = None
    link: str | None = None
    detail: str = ""
    cause: str = ""
    advice: str = ""
    suspects: tuple[str, ...] = ()
    unequal: tuple[Unequal, ...] = ()
    notes: tuple[str, ...] = ()
    curve: tuple[Point, ...] = ()
    every_link: bool = True
    reason: Reason | None = None
    evidence: Evidence | None = None
    remarks: tuple[Note, ...] = ()
    causes: tuple[LikelyCause, ...] = ()
    rank: int | None = None
    ranks: int = 1

    def __repr__(self) -> str:
        return "\n".join(map(folded, self._lines()))

    def _repr_html_(self) -> str:
        return as_html(self._lines())

    def _lines(self) -> list[str]:
        from reference.diff.verdict_text import lines  # which is about this class

        return lines("A and B", self)
