"""The bounds of `bounds.toml` as values: one file, each bound with its reason."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.timing.measured_steps import LINKS, OF_ALL
from benchmarks.timing.paired_ratio import Ratio
from reference.errors import InputError
from reference.lesson.loops import LOOPS

FILE = Path(__file__).parent.with_name("bounds.toml")
CHECKPOINTS = ("embedded", "minilm")
MEASUREMENTS = Path(__file__).parent.with_name("measurements")
BATCHES = ("tokens", "padded")
FIGURES = ("operators", "bytes", "reads", "kernel_launches", "added_launches", "synchronisations")


@dataclass(frozen=True)
class Bound:
    """A ratio's bound. It fails where the ratio's whole interval lies above it."""

    checkpoint: str
    loop: str  # `all` for what the loops share
    link: str  # of `measured_steps.LINKS`, or a benchmark's name without its `test_`
    at_most: float
    reason: str
    # What a loop adds is Python's work, as the data is, and weighs more on a machine that is slow
    # at Python: `of_data` times the data's share of bare step and data together comes on top.
    of_data: float = 0.0

    @property
    def name(self) -> str:
        """The ratio's name, by which it is measured and stored."""
        return f"{self.checkpoint}-{self.loop}-{self.link}"

    @property
    def in_gate(self) -> bool:
        """Whether the gate measures it. Other checkpoints' steps take minutes."""
        return self.checkpoint == "embedded" and not self.own_benchmark

    @property
    def own_benchmark(self) -> bool:
        """Whether the benchmark measures and holds it whose name is the link."""
        return self.link not in LINKS

    @property
    def measured_by(self) -> str:
        """The command that measures and holds it."""
        if self.in_gate:
            return "python -m benchmarks.gate"
        if self.own_benchmark:
            return f"python -m pytest benchmarks -k {self.link}"
        return f"python -m benchmarks.pair {self.loop} --checkpoint {self.checkpoint}"

    @property
    def data(self) -> str:
        """The name of the ratio of the data to the bare step."""
        return f"{self.checkpoint}-all-data"

    def at_most_here(self, ratios: Mapping[str, Ratio]) -> float:
        """The bound on this machine, with the data's share.

        Args:
            ratios: what was measured here, by name.

        Raises:
            KeyError: the data's ratio is needed and wasn't measured.
        """
        if not self.of_data:
            return self.at_most
        data = ratios[self.data].median
        return self.at_most + self.of_data * data / (1 + data)


@dataclass(frozen=True)
class Exact:
    """A count's bound, without tolerance: of one step, or of an epoch's batches."""

    loop: str  # `bare` for the bare step, `all` for the batches
    figure: str  # one of `FIGURES` or `BATCHES`
    at_most: int
    reason: str
    device: str = "cpu"

    @property
    def name(self) -> str:
        """The count's name, by which it is counted and stored."""
        return f"{self.loop}-{self.figure}" + ("" if self.device == "cpu" else f"-{self.device}")


@dataclass(frozen=True)
class Bounds:
    """The bounds of one file."""

    ratios: tuple[Bound, ...]
    exact: tuple[Exact, ...]


def read_bounds(path: Path = FILE) -> Bounds:
    """All bounds of a file.

    Raises:
        InputError: the file can't be read, or a bound is wrong, twice there, or without a reason;
            the message names file, table and field.
    """
    try:
        text = tomllib.loads(path.read_text(encoding="utf8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: can't be read as TOML ({error}); put it back") from error
    unknown = sorted(set(text) - {"version", "ratio", "exact"})
    if unknown:
        raise InputError(f"{path}: unknown table {unknown[0]!r}; known: version, ratio, exact")
    if text.get("version") != 1:
        raise InputError(f"{path}: version: {text.get('version')!r} isn't 1, which is known here")
    ratios = tuple(_rows(path, text, "ratio", Bound))
    exact = tuple(_rows(path, text, "exact", Exact))
    for bound in ratios:
        where = f"{path}: ratio {bound.name}"
        _one_of(where, "checkpoint", bound.checkpoint, CHECKPOINTS)
        _one_of(where, "link", bound.link, (*LINKS, *benchmark_names()))
        _one_of(where, "loop", bound.loop, _loops_of(bound))
        if bound.of_data and bound.link != "loop":
            raise InputError(f"{where}: field of_data: is for the link loop alone; leave it out")
    for count in exact:
        where = f"{path}: exact {count.name}"
        of_batches = count.figure in BATCHES
        _one_of(where, "figure", count.figure, (*FIGURES, *BATCHES))
        _one_of(where, "loop", count.loop, ("all",) if of_batches else ("bare", *LOOPS))
        _one_of(where, "device", count.device, ("cpu", "cuda"))
    names = [bound.name for bound in (*ratios, *exact)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: {twice[0]} stands there twice; delete one of them")
    if not ratios or not exact:
        raise InputError(f"{path}: no bound; give at least one [[ratio]] and one [[exact]]")
    return Bounds(ratios, exact)


def benchmark_names() -> list[str]:
    """The functions in `measurements/`, without their `test_`.

    Their text is read: importing them would load every library, and pytest.
    """
    texts = [file.read_text(encoding="utf8") for file in sorted(MEASUREMENTS.glob("*.py"))]
    return [name for text in texts for name in re.findall(r"^def test_(\w+)\(", text, re.M)]


def _loops_of(bound: Bound) -> tuple[str, ...]:
    if bound.own_benchmark:
        return ("all", *LOOPS)
    return ("all",) if bound.link in OF_ALL else LOOPS


def _rows(path: Path, text: dict[str, Any], table: str, kind: type[Any]) -> list[Any]:
    rows = text.get(table, [])
    if not isinstance(rows, list):
        raise InputError(f"{path}: {table} isn't a list of tables; write [[{table}]]")
    bounds = []
    for number, row in enumerate(rows, 1):
        where = f"{path}: {table} {number}"
        known = {f.name: f for f in fields(kind)}
        for key in sorted(set(row) - set(known)):
            raise InputError(f"{where}: unknown field {key!r}; known: {', '.join(known)}")
        for key, f in known.items():
            if key not in row:
                if f.default is not MISSING:
                    continue
                raise InputError(f"{where}: field {key} is missing; add it")
            if type(row[key]) not in ((int, float) if f.type is float else (f.type,)):
                raise InputError(f"{where}: field {key}: {row[key]!r} is of another type")
        for key in {"at_most", "of_data"} & set(row):
            if not 0 < row[key] < float("inf"):
                raise InputError(f"{where}: field {key}: {row[key]} isn't a number above 0")
        if not row["reason"].strip():
            raise InputError(f"{where}: field reason is empty; say where the bound comes from")
        bounds.append(kind(**row))
    return bounds


def _one_of(where: str, field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{where}: field {field}: {value!r} is none of {', '.join(known)}")
