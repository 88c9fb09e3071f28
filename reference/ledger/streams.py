"""Ledgers as streams: what lies between two steps, read without keeping what came before.

Used by `python -m reference diff A B`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import Item, Ledger, Record, read_items


@dataclass
class Group:
    """One step (none at the end of a run) and what was written before it, after the last one."""

    models: list[Record] = field(default_factory=list)
    evaluations: list[Record] = field(default_factory=list)
    step: Item | None = None
    end: Record | None = None


class Grouper:
    """Makes groups out of a ledger's lines as they come."""

    def __init__(self) -> None:
        self._open = Group()

    def push(self, item: Item) -> Group | None:
        """The group that this line completes, if it does."""
        if item.kind == "model":
            self._open.models.append(item.record)
        elif item.kind == "evaluation":
            self._open.evaluations.append(item.record)
        elif item.kind == "end":
            self._open.end = item.record
        elif item.kind == "step":
            self._open.step = item
            return self.take()
        return None

    def take(self) -> Group:
        """The group as far as it has come: the last one, when the ledger ends."""
        group, self._open = self._open, Group()
        return group


def groups(items: Iterable[Item]) -> Iterator[Group]:
    """Groups of a ledger's lines after its header; the last one has no step."""
    grouper = Grouper()
    for item in items:
        group = grouper.push(item)
        if group is not None:
            yield group
    yield grouper.take()


def open_ledger(source: Ledger | Path) -> tuple[Record, Iterator[Group]]:
    """(header, groups) of a ledger in memory or in a file. InputError if it isn't one."""
    if isinstance(source, Ledger):
        return source.header, groups(source.items)
    items = read_items(source)
    first = next(items, None)
    if first is None:
        raise InputError(f"{source}: empty; record the run again")
    return first.record, groups(items)
