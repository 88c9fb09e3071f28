"""The ranks of one run, read side by side, a step at a time, and each held against the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reference.diff.joined_optimizers import MALFORMED
from reference.diff.replicas import Replicas
from reference.errors import InputError
from reference.ledger.reader import Ledger
from reference.ledger.record import Record, is_newer
from reference.ledger.schema import check, known
from reference.ledger.steps import Group, open_ledger

Source = Ledger | Path


class RanksSideBySide:
    """Reads ranks side by side, a step of each at a time.

    Attributes:
        counts: How many steps each rank has.
        early: The ranks whose ledger has no whole end.
    """

    def __init__(self, ledgers: Mapping[int, Source]) -> None:
        self._ledgers = ledgers
        self.counts: dict[int, int] = {}
        self.early: set[int] = set()

    def pairs(self, first: int, others: list[int]) -> dict[int, Replicas]:
        """The first rank held against each of the others, by the others' numbers."""
        pairs = {rank: Replicas() for rank in others}
        going = {rank: open_ledger(self._ledgers[rank]) for rank in (first, *others)}
        counting = not self.counts  # all ranks are read to their ends, once
        if counting:
            self.counts = dict.fromkeys(going, 0)
        while going and (counting or not all(pair.is_settled for pair in pairs.values())):
            groups = {rank: next(groups) for rank, (_, groups) in going.items()}
            if counting:
                self._count(groups)
            if first in groups:
                mine = _read(going[first][0], groups[first])
                for rank in others:
                    if rank in groups and not pairs[rank].is_settled:
                        _add(pairs[rank], mine, _read(going[rank][0], groups[rank]))
            going = {rank: each for rank, each in going.items() if groups[rank].step is not None}
        return pairs

    def _count(self, groups: Mapping[int, Group]) -> None:
        for rank, group in groups.items():
            if group.step is not None:
                self.counts[rank] += 1
            elif group.end is None or not group.end["complete"]:
                self.early.add(rank)


@dataclass(frozen=True)
class _Step:
    """What a rank wrote since its step before, with the step; None at its end."""

    models: list[Record]
    record: Record | None
    where: str


def _read(header: Record, group: Group) -> _Step:
    item = group.step
    if item is None:
        return _Step(group.models, None, "after the last step")
    record = known(item)[0] if is_newer(header) else check(item)
    return _Step(group.models, record, item.where)


def _add(pair: Replicas, left: _Step, right: _Step) -> None:
    try:
        pair.add_models(left.models, right.models)
        if left.record is not None and right.record is not None:
            pair.add_step(left.record, right.record)
    except MALFORMED as error:
        raise InputError(
            f"{left.where} and {right.where}: a record isn't as its schema has it "
            f"({type(error).__name__}: {error}); edited or damaged, record the run again"
        ) from None
