"""The first step, and in it the first link, at which two ledgers are unequal."""

from dataclasses import dataclass, field

from reference.diff.unequal import NOTE, Unequal
from reference.ledger.record import Record


@dataclass
class Divergence:
    """The first step that is unequal, and all that is unequal in it up to its hard link.

    Attributes:
        step: Its number, from 1; of an evaluation, the number of steps before it.
        link: The link that is named as the cause.
        unequal: The unequal fields, soft ones and notes before the hard ones.
        left: The first run's record.
        right: The second run's, its parameters in the first run's places.
    """

    step: int
    link: str
    unequal: list[Unequal]
    left: Record = field(default_factory=dict)
    right: Record = field(default_factory=dict)

    @property
    def suspects(self) -> tuple[str, ...]:
        """The links in which the cause may lie, the likeliest first."""
        links = [u.link for u in self.unequal if u.weight != NOTE]
        return tuple(dict.fromkeys([self.link, *links]))
