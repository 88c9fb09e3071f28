"""The batches of two runs from where they part on: which are the same again, and whose rows.

So that a sentence can tell other data from the same data in another order, and one worker of
several from all of them.
"""

from reference.diff.batch_differences import rows
from reference.ledger.reader import Item
from reference.ledger.record import Record

MOST = 1 << 12  # steps that are looked at
ENOUGH = 3  # rounds of workers that have to be seen
MOST_WORKERS = 16


class LaterBatches:
    """What is read of both runs after their divergence.

    Attributes:
        same: For each of these steps, whether its batches are equal; the first is the divergence.
        rows: By side, the short hashes of all rows.
    """

    def __init__(self) -> None:
        self.same: list[bool] = []
        self.rows: tuple[set[str], set[str]] = (set(), set())

    def add(self, ours: Item, theirs: Item) -> None:
        """The next step of both runs."""
        if len(self.same) >= MOST:
            return
        records = ours.record, theirs.record
        inputs = [_hashes(record) for record in records]
        self.same.append(inputs[0] == inputs[1])
        for kept, record in zip(self.rows, records, strict=True):
            kept.update(rows_of(record))

    def every(self) -> int | None:
        """Each how many steps the batches are unequal, and else equal; None without such a rule.

        As when one of two workers of a DataLoader draws other random numbers: they take turns.
        """
        places = [place for place, same in enumerate(self.same) if not same]
        if len(places) < ENOUGH:
            return None
        apart = places[1] - places[0]
        if not 1 < apart <= MOST_WORKERS:
            return None
        return apart if places == list(range(0, len(self.same), apart)) else None

    def only_first(self) -> bool:
        """Whether all batches are the same again, after those that part."""
        return len(self.same) > 1 and not self.same[0] and all(self.same[1:])


def _hashes(record: Record) -> list[list[object]]:
    passes = record.get("batch") or []
    return [[name, value[:3]] for p in passes for name, value in p.items() if type(value) is list]


def rows_of(record: Record) -> set[str]:
    """The short hashes of all rows of a step's first pass, of whatever input."""
    first = (record.get("batch") or [{}])[0]
    return {row for value in first.values() if type(value) is list for row in rows(value)}
