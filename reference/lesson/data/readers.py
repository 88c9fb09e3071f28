"""One split out of one kind of file: GLUE's TSV, CSV or parquet; `folder.py` finds the files.

    python -m reference data --data FOLDER

Each reader gives the columns under the hub's names, as they stand in the file, and says where a
row stands. What a cell may hold is checked in `rows.py`, the same for every source.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import shorten
from typing import Any

from reference.errors import InputError
from reference.lesson.tasks import Task
from reference.messages import near
from reference.process.bounded_files import read_bounded

LARGEST = 1 << 28  # bytes of a split; GLUE's largest has 80 million
AT_ONCE = 1024  # rows
A_ROW = 64  # bytes that Python takes for one, be it empty

Columns = dict[str, list[Any]]
# Where row N (from 0) stands, in words, and the columns under the hub's names.
Split = tuple[Callable[[int], str], Columns]


def read_tsv(files: list[Path], task: Task, split: str) -> Split:
    """GLUE's own layout. Quotes are text in it, and MRPC begins with a byte-order mark."""
    path = files[0]
    # Only a line feed ends a row: other Unicode line ends are text as well.
    lines = [line.rstrip("\r").split("\t") for line in _text(path).split("\n")]
    if lines[-1] == [""]:
        lines.pop()
    first = 0 if task.headless and split != "test" else 1
    if not lines:
        raise InputError(f"{path}: empty; get {task.folder}'s file anew")
    header = lines[0] if first else list(task.headless)
    wanted = dict(zip((*task.text, "label"), task.tsv, strict=True))
    if split == "test" and wanted["label"] not in header:
        del wanted["label"]
    for name in wanted.values():
        if name not in header:
            raise InputError(
                f"{path}: row 1: no field {name!r}; it has {_brief(header)}; is it "
                f"{task.folder}'s {split} file?"
            )
    for number, cells in enumerate(lines[first:], first + 1):
        if len(cells) != len(header):
            raise InputError(
                f"{path}: row {number}: {len(cells)} fields where {len(header)} are expected "
                f"({_brief(header)}); mend or remove the row"
            )
    columns = {
        name: [cells[header.index(column)] for cells in lines[first:]]
        for name, column in wanted.items()
    }
    return (lambda row: f"{path}: row {row + first + 1}"), columns


def read_csv(files: list[Path], task: Task, split: str, delimiter: str = ",") -> Split:
    """CSV whose first row is a header with the hub's names; see `Split`."""
    path = files[0]
    # Not splitlines(): only a line feed or carriage return ends a row, no other Unicode line end.
    lines = io.StringIO(_text(path), newline="")
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    numbers: list[int] = []
    rows: list[list[str]] = []
    try:
        header = next(reader, [])
        if not header:
            raise InputError(f"{path}: row 1: empty; the first row is the header")
        for cells in reader:
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {reader.line_num}: {len(cells)} fields where the header has "
                    f"{len(header)}; mend or remove the row"
                )
            rows.append(cells)
            numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}: row {reader.line_num}: not CSV ({error}); mend it") from None
    columns = {name: [cells[i] for cells in rows] for i, name in enumerate(header)}
    need_columns(str(path), columns, task, split)
    return (lambda row: f"{path}: row {numbers[row] if row < len(numbers) else 1}"), columns


def read_own_tsv(files: list[Path], task: Task, split: str) -> Split:
    """TSV as spreadsheets and pandas write it: a header, and quotes as in CSV; see `Split`."""
    return read_csv(files, task, split, delimiter="\t")


def read_jsonl(files: list[Path], task: Task, split: str) -> Split:
    """JSON Lines: an object a row; a key that a row lacks is a missing value; see `Split`."""
    path = files[0]
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: row {number}: not JSON ({error}); mend it") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number}: no JSON object; give one a line")
        rows.append(row)
        numbers.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    need_columns(str(path), columns, task, split)
    return (lambda row: f"{path}: row {numbers[row] if row < len(numbers) else 1}"), columns


def read_parquet(files: list[Path], task: Task, split: str) -> Split:
    """Parquet in one file or in parts, with the hub's names; see `Split`."""
    columns: Columns = {}
    places: list[tuple[Path, int]] = []  # of each row
    for path in files:
        try:
            part = _read_part(path, [*task.text, task.label])
        except InputError:
            raise
        except Exception as error:  # damage comes out of Arrow as a dozen kinds
            raise InputError(
                f"{path}: not a whole parquet file ({reason(error)}); get it anew"
            ) from error
        need_columns(str(path), part, task, split)
        places += [(path, row + 1) for row in range(len(part[task.text[0]]))]
        for name in [c for c in part if c in (*task.text, task.label)]:
            columns[name] = columns.get(name, []) + part[name]

    def where(row: int) -> str:
        path, number = places[row] if places else (files[0], 1)
        return f"{path}: row {number}"

    return where, columns


def _read_part(path: Path, wanted: Iterable[str]) -> Columns:
    """The wanted columns of one file, and empty ones for the rest.

    A few bytes of parquet may stand for any number of rows, so that they are counted as they come.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        read = [name for name in names if name in wanted]
        columns: Columns = {name: [] for name in names}
        size = 0
        for batch in file.iter_batches(AT_ONCE, columns=read):
            size += batch.nbytes + A_ROW * batch.num_rows
            if size > LARGEST:
                raise InputError(f"{path}: holds more than {LARGEST:,} bytes; give fewer rows")
            for name, values in batch.to_pydict().items():
                columns[name] += values
    return columns


def reason(error: Exception) -> str:
    """A library's error in one line, with its class: the text of a KeyError is but its key."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def need_columns(where: str, columns: Columns, task: Task, split: str) -> None:
    """Raise InputError unless the task's texts and label are there; a test split needs no label."""
    for name in (*task.text, *(() if split == "test" else (task.label,))):
        if name not in columns:
            raise InputError(
                f"{where}: no field {name!r}; it has {_brief(columns)}{near(name, columns)}; "
                f"{'give a column that is there' if task.own else 'rename or add the column'}"
            )


def _brief(names: Iterable[str]) -> str:
    """The names of columns, cut where a file that isn't a table makes them endless."""
    return shorten(", ".join(names), 200, placeholder=" ...") or "none"


def _text(path: Path) -> str:
    try:
        return read_bounded(path, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: row {row}: not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
