"""The ledger's file: JSON lines, one header, then one line a step, appended as the run goes.

See one: `python -m reference train manual --max-steps 5 --run-dir try`, then `try/ledger.jsonl`.

Schema 1. Each line is an object with a field `kind`:

- `header`: `schema`, and whatever identifies the run (recipe, loop, versions, device, threads);
- `model`: number and class of a model, and the name and shape of each of its parameters, in the
  order in which every later `tensors` list gives their hashes;
- `step`: `step` (from 1) and one field for each link;
- `evaluation`: `step` (the steps before it), and the link `metrics`;
- `end`: `steps`, and the hash of each model's weights; `complete` is false where the run failed.

A run that is killed leaves whole lines and at most one cut one, which reading leaves out.
Reading parses JSON and runs nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from reference.errors import InputError

SCHEMA = 1
LEDGER_FILE = "ledger.jsonl"

Record = dict[str, Any]


class Writer:
    """Appends records to a new file, each whole and at once."""

    def __init__(self, path: Path, header: Record) -> None:
        """Raises FileExistsError rather than write over another run's ledger."""
        self._file: BinaryIO = open(path, "xb", buffering=0)  # noqa: SIM115 (kept open)
        self.write({"kind": "header", "schema": SCHEMA, **header})

    def write(self, record: Record) -> None:
        """One line, in one system call: a kill leaves it whole or cut, never mixed."""
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


def read_records(path: Path) -> Iterator[Record]:
    """The records of a ledger, the header first; a cut last line is left out.

    Raises InputError, naming file and row, for a file that isn't a ledger of this schema.
    """
    try:
        with open(path, "rb") as file:
            for row, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return  # killed while writing it
                yield _parse(path, row, line)
    except FileNotFoundError:
        raise InputError(f"{path}: no such ledger; a run's folder holds {LEDGER_FILE}") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None


def _parse(path: Path, row: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        raise InputError(f"{path}: row {row}: not JSON; record the run again") from None
    if not isinstance(record, dict) or "kind" not in record:
        raise InputError(f"{path}: row {row}: field kind: missing; not a ledger") from None
    if row == 1 and (record["kind"] != "header" or record.get("schema") != SCHEMA):
        raise InputError(
            f"{path}: row 1: field schema: {record.get('schema')!r} where {SCHEMA} is read; "
            "record the run again with this version"
        )
    return record


@dataclass
class Ledger:
    """A whole ledger in memory, for runs as long as a test's."""

    header: Record
    models: list[Record] = field(default_factory=list)
    steps: list[Record] = field(default_factory=list)
    evaluations: list[Record] = field(default_factory=list)
    end: Record | None = None


def read_ledger(path: Path) -> Ledger:
    """All of a ledger. Raises InputError for a file that isn't one."""
    records = read_records(path)
    header = next(records, None)
    if header is None:
        raise InputError(f"{path}: empty; record the run again")
    ledger = Ledger(header)
    for record in records:
        if record["kind"] == "model":
            ledger.models.append(record)
        elif record["kind"] == "step":
            ledger.steps.append(record)
        elif record["kind"] == "evaluation":
            ledger.evaluations.append(record)
        elif record["kind"] == "end":
            ledger.end = record
    return ledger
