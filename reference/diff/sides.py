"""What two runs are called, in sentences about them.

A `diff` calls them A and B, an `explain` the replay and the ledger. So words that are made before
that is known hold a mark in the place of each run. No name of a script's own can hold one: `plain`
writes these characters as codes.
"""

from dataclasses import dataclass

FIRST, SECOND = "\ue000", "\ue001"  # of Unicode's private use, which no text has
RUNS = (FIRST, SECOND)


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

    def put_into(self, words: str) -> str:
        """Words with these names in the place of the marks."""
        return words.replace(FIRST, self.first).replace(SECOND, self.second)


LEDGERS = Sides("A", "B", "A and B", "A")  # as `diff A B` has them
