"""The first step, and in it the first link, at which two ledgers are unequal."""

from dataclasses import dataclass, field

from reference.diff.link_comparators import NOTE, Unequal
from reference.ledger.record import Record

SHOWN = 4  # unequal fields in a verdict's detail


@dataclass
class Divergence:
    """The first step that is unequal, and all that is unequal in it up to its hard link."""

    step: int
    link: str
    unequal: list[Unequal]
    left: Record = field(default_factory=dict)
    right: Record = field(default_factory=dict)

    @property
    def suspects(self) -> tuple[str, ...]:
        links = [u.link for u in self.unequal if u.weight != NOTE]
        return tuple(dict.fromkeys([self.link, *links]))

    def detail(self) -> str:
        """The fields of its link; then what else is unequal before the hard link."""
        own = [u for u in self.unequal if u.link == self.link and u.weight != NOTE]
        others = [u for u in self.unequal if u not in own]
        shown = [str(u) for u in own[:SHOWN]]
        if len(own) > SHOWN:
            shown.append(f"and {len(own) - SHOWN} more fields")
        also = [f"{u.link} {u}" for u in others[:SHOWN]]
        return "; ".join(shown) + (f" (also unequal: {'; '.join(also)})" if also else "")
