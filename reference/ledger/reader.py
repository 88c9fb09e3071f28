"""A ledger's file as it is read: its lines, parsed when somebody asks, or all of it in memory."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import xxhash

from reference.errors import InputError
from reference.ledger.record import (
    KINDS,
    LEDGER_FILE,
    LONG,
    LONGEST,
    OLDEST,
    REMEDY,
    SCHEMA,
    SEALED,
    Record,
    encode,
    is_newer,
    with_lists,
)
from reference.messages import brief
from reference.process.bounded_files import each_once, need_file


def _refuse_number(word: str) -> None:
    """JSON has no NaN, though Python reads it; a ledger writes it as a word."""
    raise ValueError(word)


_DECODER = json.JSONDecoder(
    object_pairs_hook=partial(each_once, remedy=REMEDY), parse_constant=_refuse_number
)


class Item:
    """One line of a ledger, parsed when somebody asks for it."""

    __slots__ = ("_record", "checked", "line", "seal", "where")

    def __init__(self, line: bytes, where: str) -> None:
        self.line = line
        self.where = where  # file and row, for messages
        self.checked = False  # seen to be as its schema has it
        self.seal: str | None = None  # what it should be, of an end that is read from a file
        self._record: Record | None = None

    def same_as(self, other: "Item") -> None:
        """Takes over what was parsed and checked of the other item, which is the same bytes."""
        self._record, self.checked = other.record, other.checked

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and self.line == other.line

    def __hash__(self) -> int:
        return hash(self.line)

    @property
    def is_broken(self) -> bool:
        """Whether it ends a file whose lines aren't those that were written."""
        return self.seal is not None and self.record.get("seal") != self.seal

    @property
    def kind(self) -> str:
        """Read off the line's beginning, as this package writes it, or else parsed."""
        for kind in KINDS:
            if self.line.startswith(b'{"kind":"%s",' % kind.encode()):
                return kind
        return str(self.record["kind"])

    @property
    def record(self) -> Record:
        """The line, parsed.

        Raises:
            InputError: It is no record; the message names file and row.
        """
        if self._record is None:
            self._record = self._parse()
        return self._record

    def _parse(self) -> Record:
        try:
            record = _DECODER.decode(self.line.decode())
            if isinstance(record, dict) and "kind" in record:
                record = with_lists(record, LONG)
        except InputError as error:
            raise InputError(f"{self.where}: {error}") from None
        except (ValueError, RecursionError):
            raise InputError(
                f"{self.where}: not JSON; give a ledger, and if this is one, record the run again"
            ) from None
        if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
            raise InputError(f"{self.where}: field kind: missing; not a ledger")
        return record


def read_items(path: Path) -> Iterator[Item]:
    """The lines of a ledger, the header first; a cut last line is left out.

    Raises:
        InputError: The file isn't a ledger of this schema; the message names file and row.
    """
    try:
        need_file(path)
        with open(path, "rb") as file:
            seal = xxhash.xxh3_64()
            sealed = newer = ended = False
            for row, line in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
                if len(line) == LONGEST:
                    raise InputError(f"{path}: row {row}: longer than any record; not a ledger")
                if not line.endswith(b"\n"):
                    if ended:
                        raise InputError(
                            f"{path}: row {row}: after the end; edited or damaged, record the run "
                            "again"
                        )
                    if row == 1:
                        raise InputError(
                            f"{path}: row 1: the header is cut; a run was stopped, or the disk "
                            "full, before its first step: record the run again"
                        )
                    return  # killed while writing it
                item = Item(line, f"{path}: row {row}")
                if row == 1:
                    _check_header(item)
                    sealed = SEALED <= item.record["schema"] <= SCHEMA
                    newer = is_newer(item.record)
                ended = ended or item.kind == "end"
                # An older ledger has no seal: one with a seal had another schema once.
                if item.kind == "end" and (sealed or (not newer and "seal" in item.record)):
                    seal.update(encode({k: v for k, v in item.record.items() if k != "seal"}))
                    item.seal = seal.hexdigest()
                seal.update(line)
                yield item
    except FileNotFoundError:
        raise InputError(f"{path}: no such ledger; a run's folder holds {LEDGER_FILE}") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None


def _check_header(item: Item) -> None:
    schema = item.record.get("schema")
    # Of a newer schema, what this one knows is compared, and `diff` says so.
    readable = isinstance(schema, int) and schema >= OLDEST
    if item.record["kind"] != "header" or not readable:
        raise InputError(
            f"{item.where}: field schema: {brief(schema)} where {OLDEST} to {SCHEMA} are read; "
            "record the run again with this version"
        )


def read_header(path: Path) -> Record:
    """The first line of a ledger; the others aren't read.

    Raises:
        InputError: The file isn't a ledger of this schema, or it is empty.
    """
    for item in read_items(path):
        return item.record
    raise InputError(f"{path}: empty; record the run again")


def has_end(path: Path) -> bool:
    """Whether a ledger's last line is the record of its run's end; reads no more than that line.

    Raises:
        OSError: It can't be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail, read = b"", 1 << 12
        while b"\n" not in tail[:-1] and len(tail) < size:
            file.seek(max(0, size - read))
            tail, read = file.read(min(read, size)), 2 * read
    line = tail[tail[:-1].rfind(b"\n") + 1 :]
    return line.startswith(b'{"kind":"end",') and line.endswith(b"\n")


@dataclass
class Ledger:
    """A whole ledger in memory, for runs as long as a test's."""

    header: Record
    items: list[Item] = field(default_factory=list)

    def of(self, kind: str) -> list[Record]:
        """All records of one kind, such as `step`, parsed."""
        return [item.record for item in self.items if item.kind == kind]

    @property
    def models(self) -> list[Record]:
        """The records of models, each as it was first seen or grew."""
        return self.of("model")

    @property
    def steps(self) -> list[Record]:
        """The records of the steps, in their order."""
        return self.of("step")

    @property
    def evaluations(self) -> list[Record]:
        """The records of the evaluations, in their order."""
        return self.of("evaluation")

    @property
    def end(self) -> Record | None:
        """The record of the run's end; None where it was killed."""
        return next(iter(self.of("end")), None)


def read_ledger(path: Path) -> Ledger:
    """All of a ledger, in memory.

    Raises:
        InputError: The file isn't a ledger; the message names file and row.
    """
    items = list(read_items(path))
    if not items:
        raise InputError(f"{path}: empty; record the run again")
    return Ledger(items[0].record, items[1:])


class Memory:
    """A sink that keeps a ledger in memory."""

    def __init__(self, header: Record) -> None:
        self.ledger = Ledger({"kind": "header", "schema": SCHEMA, **header})

    def write(self, record: Record) -> None:
        """Keeps one record."""
        self.ledger.items.append(Item(encode(record), f"record {len(self.ledger.items) + 1}"))

    def close(self) -> None:
        """Nothing to be done."""
