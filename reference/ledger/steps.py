"""Ledgers as streams: what lies between two steps, read without keeping what came before."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reference.errors import InputError
from reference.ledger.reader import Item, Ledger, read_items
from reference.ledger.record import KINDS, Record, is_newer
from reference.ledger.schema import check, damaged


@dataclass
class Group:
    """One step (none at the end of a run) and what was written before it, after the last one."""

    models: list[Record] = field(default_factory=list)
    evaluations: list[Record] = field(default_factory=list)
    step: Item | None = None
    end: Record | None = None
    where: str = ""  # file and row of its last line
    broken: bool = False  # the lines up to the end aren't those that were written


class Grouper:
    """Makes groups out of a ledger's lines as they come; a step's own fields are left unread."""

    def __init__(self, *, newer: bool = False) -> None:
        self._open = Group()
        self._newer = newer  # of a schema with kinds that this one doesn't know
        self._steps = 0
        self._ended = False

    def push(self, item: Item) -> Group | None:
        """Takes the next line.

        Returns:
            The group that this line completes, if it does.

        Raises:
            InputError: The line is out of its place; the message names file, row and field.
        """
        kind = item.kind
        if self._newer and kind not in KINDS:
            return None
        self._open.where = item.where
        if self._ended:
            raise damaged(item, "kind", f"{_short(kind)} after the end")
        if kind == "step":
            self._steps += 1
            self._check_number(item)
            self._open.step = item
            return self.take()
        record = check(item)
        if kind == "model":
            self._open.models.append(record)
        elif kind == "evaluation":
            self._open.evaluations.append(record)
            if record["step"] > self._steps:
                raise damaged(item, "step", f"{record['step']} after {self._steps} steps")
        elif kind == "end":
            self._ended = True
            self._open.end = record
            # Where the disk was full, the end has no seal, and says why.
            without_seal = "lost" in record and "seal" not in record
            self._open.broken = item.is_broken and not without_seal
            if record["steps"] != self._steps and "recorded" not in record:
                raise damaged(item, "steps", f"{record['steps']} after {self._steps} steps")
        else:
            raise damaged(item, "kind", f"{_short(kind)} after the first row")
        return None

    def _check_number(self, item: Item) -> None:
        if not item.line.startswith(b'{"kind":"step","step":%d,' % self._steps):
            number = item.record.get("step")
            if type(number) is not int or number != self._steps:
                raise damaged(item, "step", f"{number!r:.40} where {self._steps} is next")

    def take(self) -> Group:
        """The group as far as it has come: the last one, when the ledger ends."""
        group, self._open = self._open, Group()
        return group


def _short(kind: str) -> str:
    """A kind as it can be shown: a stranger's file may have any text there."""
    return f"{kind!r:.40}"


def groups(items: Iterable[Item], *, newer: bool = False) -> Iterator[Group]:
    """Groups of a ledger's lines after its header; the last one has no step."""
    grouper = Grouper(newer=newer)
    for item in items:
        group = grouper.push(item)
        if group is not None:
            yield group
    yield grouper.take()


def open_ledger(source: Ledger | Path) -> tuple[Record, Iterator[Group]]:
    """The header and the groups of a ledger, in memory or in a file.

    Raises:
        InputError: It isn't a ledger; a line that isn't as it should be raises it when it is
            reached.
    """
    if isinstance(source, Ledger):
        return source.header, groups(source.items, newer=is_newer(source.header))
    items = read_items(source)
    first = next(items, None)
    if first is None:
        raise InputError(f"{source}: empty; record the run again")
    return check(first), groups(items, newer=is_newer(first.record))
