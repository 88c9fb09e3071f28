"""A ledger that goes on: cut to where its run goes on from, and then as if nothing had happened.

A process that goes on sees everything for the first time: models, settings, an optimizer's state.
What the ledger has of them already isn't written again, so that it is, line for line, the ledger of
a run that never stopped.
"""

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import xxhash

from reference.errors import InputError
from reference.ledger.odd_modules import OddModules
from reference.ledger.reader import read_items
from reference.ledger.record import Record, Sink

PIECE = 1 << 20  # bytes that are read at once


@dataclass
class Earlier:
    """What a ledger has by the time that its run goes on.

    Attributes:
        steps: How many.
        last: The last step's record.
        settings: Of all steps, as they stand.
        models: The records of models.
        odd: The lists of modules that are in another mode than their parents.
    """

    steps: int = 0
    last: Record = field(default_factory=dict)
    settings: Record = field(default_factory=dict)
    models: list[Record] = field(default_factory=list)
    odd: OddModules = field(default_factory=OddModules)

    def take(self, record: Record) -> None:
        """One more record."""
        if record["kind"] == "model":
            self.models.append(record)
        elif record["kind"] == "step":
            self.steps += 1
            self.last = record
            self.settings.update(record.get("settings") or {})
            self.odd.in_full(record.get("mode"))


def check_position(path: Path, size: int, seal: str) -> None:
    """Check that a ledger still has the lines that it had when its run was saved.

    Args:
        path: The ledger's file.
        size: How many bytes it had.
        seal: The hash of them, as a Writer's `position` gives it.

    Raises:
        InputError: It is shorter, or was edited.
        OSError: It isn't there, or can't be read.
    """
    hashed, left = xxhash.xxh3_64(), size
    with open(path, "rb") as file:
        for piece in iter(partial(file.read, PIECE), b""):
            hashed.update(piece[:left])
            left -= min(left, len(piece))
            if not left:
                break
    if left or hashed.hexdigest() != seal:
        raise InputError(
            f"{path}: hasn't the {size:,} bytes that it had when this was saved; cut or edited"
        )


def cut_ledger(path: Path, size: int) -> Earlier:
    """Take away what a ledger has beyond a position; returns what is left of it, but in short."""
    with open(path, "r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())
    earlier = Earlier()
    for item in read_items(path):
        earlier.take(item.record)
    return earlier


class Continuation:
    """Takes the records of a process that goes on, and leaves out what the ledger has already.

    Args:
        writer: Appends to the ledger.
        earlier: What that has.
    """

    def __init__(self, writer: Sink, earlier: Earlier) -> None:
        self._writer = writer
        self._models = list(earlier.models)
        self._settings = earlier.settings
        self._odd = earlier.odd
        self._is_first = True

    def write(self, record: Record) -> None:
        """Takes one record."""
        if record["kind"] == "model" and record in self._models:
            self._models.remove(record)
            return
        if record["kind"] == "step":
            if self._is_first:
                record = self._without_what_is_known(record)
            if "mode" in record:
                record = {**record, "mode": self._odd.in_short(record["mode"])}
            self._is_first = False
        self._writer.write(record)

    def close(self) -> None:
        """Takes no more."""
        self._writer.close()

    def _without_what_is_known(self, record: Record) -> Record:
        record = dict(record)
        found = record.pop("settings", {})
        news = {n: v for n, v in found.items() if self._settings.get(n, ...) != v}
        if news:
            record["settings"] = news
        chores = dict(record.get("chores") or {})
        chores.pop("state", None)  # the optimizer's first step was another
        if "schedulers" in chores:
            chores["schedulers"] = [
                {n: v for n, v in each.items() if n != "lengths"} for each in chores["schedulers"]
            ]
        record["chores"] = chores
        return record
