"""What two runs are called, in sentences about them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sides:
    """What the two runs are called, in a sentence about them."""

    first: str
    second: str
    both: str
    in_first: str  # where the second one is named in the same sentence

    def name(self, side: int) -> str:
        """What one run is called."""
        return (self.first, self.second)[side]


LEDGERS = Sides(
    "the first ledger", "the second ledger", "the first and the second ledger", "the first"
)
