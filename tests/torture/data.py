"""Damaged data: TSV, CSV, parquet and saved datasets; their cells, columns, rows and files."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.lesson.data.files import WRITERS, splits
from tests.torture import small_inputs
from tests.torture.file_damage import (
    BAD_UTF8,
    NAMES,
    content_of,
    copy,
    damage_bytes,
    damage_file,
    damage_lines,
)
from tests.torture.json_damage import damage_json
from tests.torture.judge import Case

TASKS = ("sst2", "mrpc")

CELLS = (
    *(b"", b" ", b"0", b"1", b"2", b"-1", b"-2", b"1.0", b"0.5", b"1e0", b"nan", b"True", b"None"),
    *(b"9" * 30, b"9" * 5000, b"\xd9\xa1", b"\xef\xbc\x91", b"equivalent", b"not_equivalent"),
    *(b'"', b'"a', b'a"', b'""', b'"a""b"', b"'", b"a,b", b"a\tb", b"a\nb", b"a\rb", b"\\", b"\0"),
    *(b"=1+1", b"\x1b[31m", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"x" * 200_000, b"\xf0\x9f\x98\x80"),
    *(b"x " * 50_000, *BAD_UTF8),
)
ARRAYS: tuple[Callable[[int], pa.Array], ...] = (
    lambda n: pa.nulls(n),
    lambda n: pa.array([0.5] * n),
    lambda n: pa.array([float("nan")] * n),
    lambda n: pa.array([True] * n),
    lambda n: pa.array([2**63] * n, pa.uint64()),
    lambda n: pa.array([-(2**63)] * n, pa.int64()),
    lambda n: pa.array([b"\xff\xfe"] * n),
    lambda n: pa.array([[1, 2]] * n),
    lambda n: pa.array([[]] * n, pa.list_(pa.string())),
    lambda n: pa.array([{"a": 1}] * n),
    lambda n: pa.array(["a"] * n).dictionary_encode(),
    lambda n: pa.array(["a"] * n, pa.large_string()),
    lambda n: pa.array(["1"] * n),
    lambda n: pa.array(["x" * 100_000] * n),
    lambda n: pa.array([10**18] * n, pa.timestamp("ns")),
    lambda n: pa.array([0] * n, pa.time64("us")),
    lambda n: pa.array([1] * n, pa.decimal128(5, 2)),
    lambda n: pa.array([(("k", 1),)] * n, pa.map_(pa.string(), pa.int32())),
    lambda n: pa.array(["\ufeff", "a\0b", ""] * n)[:n],
    lambda n: pa.array([0, None] * n)[:n],
    lambda n: pa.array([1] * n, pa.int8()),
    lambda n: pa.array([pa.scalar(0)] * n),
)


def prepare(folder: Path) -> Callable[[Random, Path], Case]:
    """The same rows in each format, to be damaged."""
    for task in TASKS:
        for kind, write in WRITERS.items():
            write(folder / task / kind, task, splits(task))
    small_inputs.write_bert(folder / "bert")
    return partial(_make, folder)


def _make(folder: Path, rng: Random, work: Path) -> Case:
    task, kind = rng.choice(TASKS), rng.choice(sorted(WRITERS))
    words, run_dir = small_inputs.command(rng, work / "run")
    words += ["--task", task]
    if rng.random() < 0.02:
        wrong = rng.choice([name for name in NAMES if name != ""])
        given = [*words, *small_inputs.options(Path("x"), folder / "bert")]
        given[given.index("x")] = wrong
        return Case(given, f"named {wrong[:40]!r}", run_dir=run_dir)
    data = copy(folder / task / kind, work / "data")
    damage = "; ".join(_damage(data, rng) for _ in range(rng.choice((1, 1, 1, 2))))
    return Case(
        [*words, *small_inputs.options(data, folder / "bert")],
        f"{task} {kind}: {damage}",
        places=(str(data),),
        run_dir=run_dir,
    )


def _damage(data: Path, rng: Random) -> str:
    files = sorted(path for path in data.rglob("*") if path.is_file() and not path.is_symlink())
    if not files or rng.random() < 0.03:
        return _another_layout(data, rng)
    path = rng.choice(files)
    what = f"{path.relative_to(data)}: "
    try:
        content = content_of(path)
    except OSError:
        return "and nothing more"
    if rng.random() < 0.1:
        return what + damage_file(path, rng)
    try:
        change = OF_SUFFIX.get(path.suffix, damage_bytes) if rng.random() < 0.7 else damage_bytes
        content, done = change(content, rng)
    except (OSError, ValueError, LookupError, RecursionError, pa.ArrowException):
        # It was damaged before, and Arrow says so as an OSError too.
        content, done = damage_bytes(content, rng)
    path.write_bytes(content)
    return what + done


def _another_layout(data: Path, rng: Random) -> str:
    what = rng.choice(("second.csv", "train.csv", "dataset_dict.json", "MRPC", "mrpc", "sst2"))
    path = data / what
    if path.exists():
        path.rename(data / "elsewhere")
        return f"{what} is elsewhere"
    if path.suffix:
        path.write_text("sentence,label\na,1\n")
    else:
        path.mkdir()
        (path / "train.tsv").write_text("sentence\tlabel\na\t1\n")
    return f"{what} is there too"


def _damage_json(content: bytes, rng: Random) -> tuple[bytes, str]:
    if rng.random() < 0.3:
        return _odd_feature(content, rng)
    text, what = damage_json(content.decode(), rng)
    return text.encode(errors="surrogatepass"), what


FEATURES: tuple[dict[str, Any], ...] = (
    *({"_type": name} for name in ("Image", "Audio", "Video", "Pdf", "Nix", "", "Features")),
    *({"dtype": name, "_type": "Value"} for name in ("binary", "int64", "nix", "null", "float16")),
    {"names": [], "_type": "ClassLabel"},
    {"names": ["a"] * 2, "_type": "ClassLabel"},
    {"names": ["b", "a", "c"], "_type": "ClassLabel"},
    {"names_file": "/etc/passwd", "_type": "ClassLabel"},
    {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    {"shape": [2**40, 2**20], "dtype": "float32", "_type": "Array2D"},
    {"languages": ["a"], "_type": "Translation"},
    {"_type": "os.system"},
)


def _odd_feature(content: bytes, rng: Random) -> tuple[bytes, str]:
    info = json.loads(content)
    name = rng.choice(sorted(info["features"]))
    info["features"][name] = rng.choice(FEATURES)
    return json.dumps(info).encode(), f"{name} is {info['features'][name]}"


def _damage_table(separator: bytes, content: bytes, rng: Random) -> tuple[bytes, str]:
    """A cell of a text, its row, or its column."""
    chance = rng.random()
    if chance < 0.2:
        return damage_lines(content, rng)
    rows = [line.split(separator) for line in content.split(b"\n")]
    row = rng.randrange(len(rows))
    column = rng.randrange(len(rows[row]))
    if chance < 0.7:
        cell = rng.choice(CELLS)
        rows[row][column] = cell
        what = f"row {row + 1}, cell {column + 1} -> {cell[:40]!r}"
    elif chance < 0.8:
        del rows[row][column]
        what = f"row {row + 1}, cell {column + 1} taken out"
    elif chance < 0.9:
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
        what = f"column {column + 1} taken out"
    else:
        other = rng.choice((b",", b"\t", b";", b"|", b"  "))
        return content.replace(separator, other), f"cells parted by {other!r}"
    return b"\n".join(separator.join(cells) for cells in rows), what


def _damage_parquet(content: bytes, rng: Random) -> tuple[bytes, str]:
    """Written anew, with a column or rows of another kind."""
    table = pq.read_table(pa.BufferReader(content))
    names = table.column_names
    at = rng.randrange(len(names))
    what = rng.choice(("other", "other", "other", "gone", "renamed", "twice", "none", "info"))
    options: dict[str, Any] = {}
    if what == "other":
        made = rng.choice(ARRAYS)(len(table))
        table = table.set_column(at, names[at], made)
        what = f"{names[at]} is of {made.type}"
    elif what == "gone":
        table = table.drop_columns([names[at]])
        what = f"{names[at]} taken out"
    elif what == "renamed":
        new = rng.choice(("", "x", names[0], names[at].upper(), "\u202e", "x" * 10_000))
        table = table.rename_columns([new if i == at else n for i, n in enumerate(names)])
        what = f"{names[at]} called {new[:20]!r}"
    elif what == "twice":
        table = table.append_column(names[at], table.column(at))
        what = f"{names[at]} twice"
    elif what == "none":
        table = table.slice(0, 0)
        what = "no rows"
    else:
        table = table.replace_schema_metadata({"huggingface": b'{"info": 7}', "ARROW:schema": b"x"})
    options["compression"] = rng.choice(("snappy", "gzip", "zstd", "none"))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes(), what


OF_SUFFIX: dict[str, Callable[[bytes, Random], tuple[bytes, str]]] = {
    ".tsv": partial(_damage_table, b"\t"),
    ".csv": partial(_damage_table, b","),
    ".parquet": _damage_parquet,
    ".json": _damage_json,
}
