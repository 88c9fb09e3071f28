"""The ledger's file: JSON lines, one header, then one line a step, appended as the run goes.

See one: `python -m reference train manual --max-steps 5 --run-dir try`, then `try/ledger.jsonl`.

Schema 5. Each line is an object with a field `kind`:

- `header`: `schema`, and what identifies the run (recipe or program, versions, device, threads);
- `model`: number and class of a model, and name and shape of each of its parameters, and of a
  DTensor its placement (the hashes are of this process's part); a later one with the same number
  names those that came later. All of them, in the order of these records, are the order in which
  every `tensors` and `norms` gives hashes and 2-norms. `gone`: which of the others went since the
  last such record;
- `step`: `step` (from 1) and one field for each link that was seen (all, for an ordinary loop),
  as `link_table.py` describes them (`packed_lists.py`: how a list with an entry for each tensor
  is shortened here); and
  - `zeroed`: whether all gradients are zero or none by then (no link);
  - `settings`: what modules are set to, by name (dropout's p, class weights, which parameters are
    frozen), as far as no earlier step has it; with `*` for a number, of several alike their value
    and how many they are (no link); with ` by default` behind a name what a class takes itself;
  - `unseen`: why a forward pass of the step couldn't be recorded; its links are absent then;
  - `uncalled`: how many parameters its optimizer moves that none of its forward passes used, such
    as a weight of the loss that is learnt (no link);
  - `inside`: the calls of modules within its forward passes (`inside_record.py`), no link;
  - `chores`: what the loop does beside the links (`chores_record.py`), no link;
- `evaluation`: `step` (the steps before it), the link `metrics`, the name of its `model` and
  whether that one had `trained` by then; of one that is in train mode `dropout`, its largest p, and
  `statistics`, where it keeps running ones;
  `unseen`: why a pass of it couldn't be recorded;
- `end`: `steps`, the hash of the last weights (and of each tensor, '-' for those of models that
  the last step didn't use), and the last `buffers`; `models`: each model that was called, by name,
  whether it `trained`, and the hash, type and shape of each tensor that it has then, or had when it
  went (`fleeting`: buffers that no checkpoint holds), and a `hash` of them all; of one that trained
  the classes of its `parts` by name, with `*` for a number as in `settings`; copies of weights
  in plain tensors stand there as they are then, and as they were after a `step`; `optimizers`: of
  each that was stepped what it keeps then, or kept when it went (`state`: by name a hash, or a
  number as it is, for each of its `places`; `beside`: what it keeps for no parameter; `of`: which
  of its sets of hyper-parameters, `hyper`, each has); `rng`: the generators' states; `gradients`:
  a hash of each that is left, '-' for one of zeros; `saved`: of each file of weights that was
  written its name, and as of a model what it holds; `complete` is
  false where the run failed, where it was `asked` to end after this step, or where recording ended
  before it (`lost`: why, `recorded`: the steps until then); `seal`: a hash of all lines before it,
  and of this one without it, by which an edited file is told.

A run that is killed leaves whole lines and at most one cut one, which reading leaves out.
Reading parses JSON and runs nothing.
"""

import errno
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import xxhash

from reference.errors import InputError
from reference.ledger.packed_lists import count_runs, pack, repeat_runs, unpack
from reference.messages import plain

SCHEMA = 5
OLDEST = 2  # schema that is still read
SEALED = 3  # the first schema whose end seals a ledger's lines
LEDGER_FILE = "ledger.jsonl"
LONGEST = 1 << 28  # bytes of a line: a record of a million tensors has a quarter of that

Record = dict[str, Any]

KINDS = ("step", "evaluation", "model", "header", "end")

REMEDY = "edited or damaged, record the run again"
# How a step's lists stand in the file, and in a record.
SHORT = {"tensors": pack, "norms": count_runs, "of": count_runs}
LONG = {"tensors": unpack, "norms": repeat_runs, "of": repeat_runs}


class Sink(Protocol):
    """What an observer writes to."""

    def write(self, record: Record) -> None:
        """Takes one record."""

    def close(self) -> None:
        """Takes no more."""


class Writer:
    """Appends records to a new file, each whole and at once."""

    def __init__(self, path: Path, header: Record) -> None:
        """Writes the header.

        Args:
            path: The file, which must not exist.
            header: What identifies the run; `kind` and `schema` are added.

        Raises:
            FileExistsError: The file exists: another run's ledger is never written over.
        """
        self._file: BinaryIO = open(path, "xb", buffering=0)  # noqa: SIM115 (kept open)
        self._seal = xxhash.xxh3_64()
        self._size = 0
        self.write({"kind": "header", "schema": SCHEMA, **header})

    def write(self, record: Record) -> None:
        """One line, in one system call: a kill leaves it whole or cut, never mixed.

        Raises:
            OSError: The disk takes only a part of it, or nothing.
        """
        if record["kind"] == "end":
            self._seal.update(encode(record))
            record = {**record, "seal": self._seal.hexdigest()}
        line = encode(record)
        self._seal.update(line)
        self._size += len(line)
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)

    @classmethod
    def go_on(cls, path: Path) -> "Writer":
        """One that appends to a ledger of whole lines without an end."""
        writer = cls.__new__(cls)
        writer._file = open(path, "r+b", buffering=0)  # noqa: SIM115 (kept open)
        writer._seal, writer._size = xxhash.xxh3_64(), 0
        for piece in iter(partial(writer._file.read, 1 << 20), b""):
            writer._seal.update(piece)
            writer._size += len(piece)
        return writer

    def position(self) -> tuple[int, str]:
        """How many bytes the file has, which are on the disk then, and the hash of them."""
        os.fsync(self._file.fileno())
        return self._size, self._seal.hexdigest()

    def close(self) -> None:
        """Closes the file; there is nothing left to be written."""
        self._file.close()


def encode(record: Record) -> bytes:
    """A record as its line."""
    return json.dumps(with_lists(record, SHORT), separators=(",", ":")).encode() + b"\n"


def with_lists(record: Record, forms: Mapping[str, Callable[[str], str]]) -> Record:
    """A step with the lists of each link in another form; any other record as it is."""
    if record.get("kind") != "step":
        return record
    changed = dict(record)
    for name, link in record.items():
        if not isinstance(link, dict):
            continue
        for field_, change in forms.items():
            if isinstance(link.get(field_), str):
                try:
                    changed[name] = {**changed[name], field_: change(link[field_])}
                except ValueError as error:
                    raise InputError(f"field {plain(name)}.{field_}: {error}; {REMEDY}") from None
    return changed


def is_newer(header: Record) -> bool:
    """Whether a ledger, by its header, is of a schema that came after this one."""
    schema = header.get("schema")
    return isinstance(schema, int) and schema > SCHEMA
