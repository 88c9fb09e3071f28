"""Lists of a record with an entry for each parameter's place, made of those that have a value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from reference.ledger.combined_hash import combine_listed
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.observe.step.describe import number

SAME = 1e-5  # relative: norms are written with seven digits


def listed(places: Sequence[int], entries: Sequence[str], total: int, absent: str = ABSENT) -> str:
    """The entries with a space between two, and `absent` at every other place.

    Where a training makes a new model every few steps, most places are those of dead ones: what
    this takes doesn't grow with their number.

    Args:
        places: From 0, in rising order, one for each entry.
        entries: Without spaces.
        total: How many places there are.
        absent: What stands at the others.
    """
    if len(places) == total:
        return " ".join(entries)
    parts: list[str] = []
    next_place = 0
    for place, entry in zip(places, entries, strict=True):
        parts.append(f"{absent} " * (place - next_place) + entry)
        next_place = place + 1
    rest = (f"{absent} " * (total - next_place)).rstrip()
    return " ".join([*parts, rest] if rest else parts)


@dataclass(frozen=True)
class Gradients:
    """All gradients as they were at one moment.

    Attributes:
        places: Of the parameters that were there.
        hashes: Of each one's gradient; '-' where there was none.
        norms: The 2-norm of each.
        total: How many places there were.
    """

    places: tuple[int, ...]
    hashes: list[str]
    norms: list[float]
    total: int

    @cached_property
    def record(self) -> Record:
        """What `gradient` and `clip` have in common."""
        tensors = listed(self.places, self.hashes, self.total)
        norms = [f"{norm:.7g}" for norm in self.norms]
        return {
            "norm": number(sum(norm * norm for norm in self.norms) ** 0.5),
            "hash": combine_listed(tensors),
            "tensors": tensors,
            "norms": listed(self.places, norms, self.total, "0"),
        }

    def are(self, others: "Gradients", factor: float) -> bool:
        """Whether each norm is the other's times a factor, as far as a ledger's digits tell."""
        pairs = zip(self.norms, others.norms, strict=False)
        return self.places == others.places and all(
            math.isclose(norm, factor * other, rel_tol=SAME) for norm, other in pairs
        )
