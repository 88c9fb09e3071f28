"""All that is known of a divergence when its cause is looked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.diff.divergence import Divergence
from reference.diff.earlier_steps import Earlier
from reference.diff.evidence import HeaderDifference
from reference.diff.later_batches import LaterBatches
from reference.diff.notes import BeginsLater, MatchedByPosition
from reference.diff.unequal import NOTE, Unequal
from reference.ledger.record import Record


@dataclass(frozen=True)
class Case:
    """One divergence.

    Attributes:
        divergence: Where the two runs part.
        earlier: What earlier steps of both had.
        names: Of the parameters that both have, in the first run's places.
        renamed: Parameters that the two call by two names.
        kinds: The class of each of the first run's models, by its number.
        told: What the two were told otherwise: recipe, arguments.
        later: The batches from there on; None where nobody read on.
        begins: Where the one begins in the other, if not at its beginning.
        steps: How many both have that were read.
    """

    divergence: Divergence
    earlier: tuple[Earlier, Earlier]
    names: Sequence[str] = ()
    renamed: Sequence[MatchedByPosition] = ()
    kinds: Sequence[str] = ()
    told: Sequence[HeaderDifference] = ()
    later: LaterBatches = field(default_factory=LaterBatches)
    begins: BeginsLater | None = None
    steps: tuple[int, int] = (0, 0)

    @property
    def pair(self) -> tuple[Record, Record]:
        """Both records of the step or evaluation, in one numbering."""
        return self.divergence.left, self.divergence.right

    @property
    def step(self) -> int:
        """The number of the step at which they part."""
        return self.divergence.step

    @property
    def link(self) -> str:
        """The link that is named."""
        return self.divergence.link

    def unequal(self, link: str | None = None) -> list[Unequal]:
        """What is unequal in a link, the named one by default, and matters."""
        link = link or self.link
        return [u for u in self.divergence.unequal if u.link == link and u.weight != NOTE]

    def settings(self) -> tuple[Record, Record]:
        """All that the modules of both runs are set to by then."""
        first, second = (
            {**own.settings, **(record.get("settings") or {})}
            for own, record in zip(self.earlier, self.pair, strict=True)
        )
        return first, second
