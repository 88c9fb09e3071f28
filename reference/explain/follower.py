"""Compares a training with a ledger while it goes on, and ends it at the first unequal step."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from reference.diff.comparison import Comparison
from reference.errors import InputError
from reference.ledger.reader import Item
from reference.ledger.record import Record, encode
from reference.ledger.steps import Group, Grouper


class Parted(Exception):
    """Raised within a replay, at the first step that isn't the ledger's."""


@dataclass
class Follower:
    """Takes the observer's records in a writer's place, and compares each with the ledger's.

    Attributes:
        comparison: of the replay (first) and the ledger (second), as far as they have gone.
        theirs: the ledger's records, grouped by step.
        on_step: called with the number of steps so far, after each.
        counts: steps so far, of the replay and of the ledger.
        ends: the record at the end of each, where it came to it.
        fault: what is wrong with the ledger itself, where something is.
    """

    comparison: Comparison
    theirs: list[Group]
    on_step: Callable[[int], None]
    counts: list[int] = field(default_factory=lambda: [0, 0])
    ends: list[Record | None] = field(default_factory=lambda: [None, None])
    fault: InputError | None = None
    _grouper: Grouper = field(default_factory=Grouper)
    _place: int = 0
    _over: bool = False

    @classmethod
    def of(
        cls,
        ours: Record,
        theirs: Record,
        steps: list[Group],
        on_step: Callable[[int], None] = lambda _step: None,
    ) -> "Follower":
        """One at the beginning, to which each evaluation counts: made twice, it isn't made once.

        Args:
            ours: the header of the replay.
            theirs: the header of the ledger.
            steps: the ledger's records, grouped by step.
            on_step: called with the number of steps so far, after each.
        """
        return cls(Comparison(ours, theirs, each_evaluation=True), steps, on_step)

    def write(self, record: Record) -> None:
        """Take one record of the replay.

        Raises:
            Parted: as soon as the two differ, or the ledger has no more steps.
        """
        if self._over:
            return
        group = self._grouper.push(Item(encode(record), "replay"))
        if group is not None:
            theirs = self._compare(group)
            self.on_step(self.counts[0])
            # Beyond the ledger's last step nothing can be proven.
            if self.comparison.divergence is not None or theirs.step is None:
                self._over = True
                raise Parted

    def _compare(self, ours: Group) -> Group:
        theirs = self.theirs[self._place] if self._place < len(self.theirs) else Group()
        self._place += 1
        self._count(ours, theirs)
        try:
            self.comparison.add(ours, theirs)
        except InputError as error:
            self.fault, self._over = error, True
            raise Parted from None
        return theirs

    def _count(self, *pair: Group) -> None:
        for side, group in enumerate(pair):
            self.counts[side] += group.step is not None
            self.ends[side] = group.end or self.ends[side]

    def close(self) -> None:
        """The replay is over, or was stopped: compare what is left."""
        if not self._over:
            self._over = True
            self._compare(self._grouper.take())
            for group in self.theirs[self._place :]:
                self._count(Group(), group)

    def fork(self) -> "Follower":
        """Another follower, as far along as this one is now."""
        other = copy.copy(self)
        other.comparison = copy.deepcopy(self.comparison)
        other._grouper = copy.deepcopy(self._grouper)
        other.counts, other.ends = list(self.counts), list(self.ends)
        return other
