"""The bounds that the gate holds, read from `bounds.toml`: one file, each with its reason."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.rounds import LINKS, OF_ALL
from reference.errors import InputError
from reference.lesson.loops import LOOPS

FILE = Path(__file__).parent.with_name("bounds.toml")
CHECKPOINTS = ("embedded", "minilm")
OF_LEDGER = "observing"  # the link of what a ledger costs: an observed step by a plain one
BATCHES = ("tokens", "padded")
FIGURES = ("operators", "bytes", "reads", "kernel_launches", "added_launches", "synchronisations")


@dataclass(frozen=True)
class Bound:
    """A ratio's: fails when its whole interval lies above. `loop` is `all` for what all share.

    What a loop adds is Python's work, as the data is, and weighs more where a machine is slow at
    that: `of_data` times the data's share of bare step and data together comes on top.
    """

    checkpoint: str
    loop: str
    link: str
    at_most: float
    reason: str
    of_data: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.checkpoint}-{self.loop}-{self.link}"

    @property
    def in_gate(self) -> bool:
        """Whether the gate measures it: other checkpoints' steps take minutes."""
        return self.checkpoint == "embedded" and self.link != OF_LEDGER

    @property
    def measured_by(self) -> str:
        """The command that measures it and holds it."""
        if self.in_gate:
            return "python -m benchmarks.gate"
        if self.link == OF_LEDGER:
            return "python -m pytest benchmarks -k observing"
        return f"python -m benchmarks.pair {self.loop} --checkpoint {self.checkpoint}"

    @property
    def data(self) -> str:
        """The name of the ratio that says how much the data is of a bare step."""
        return f"{self.checkpoint}-all-data"

    def at_most_here(self, ratios: Mapping[str, Ratio]) -> float:
        """The bound on this machine; KeyError where the data's ratio wasn't measured."""
        if not self.of_data:
            return self.at_most
        data = ratios[self.data].median
        return self.at_most + self.of_data * data / (1 + data)


@dataclass(frozen=True)
class Exact:
    """A count's of one step of a loop, or of the batches (`loop` is `all`): no tolerance."""

    loop: str
    figure: str
    at_most: int
    reason: str
    device: str = "cpu"

    @property
    def name(self) -> str:
        return f"{self.loop}-{self.figure}" + ("" if self.device == "cpu" else f"-{self.device}")


@dataclass(frozen=True)
class Bounds:
    ratios: tuple[Bound, ...]
    exact: tuple[Exact, ...]


def read_bounds(path: Path = FILE) -> Bounds:
    """All bounds of a file. Raises InputError naming file, table and field."""
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
        _one_of(where, "link", bound.link, (*LINKS, OF_LEDGER))
        _one_of(where, "loop", bound.loop, ("all",) if bound.link in OF_ALL else LOOPS)
        if bound.of_data and bound.link != "loop":
            raise InputError(f"{where}: field of_data: just for the link loop; leave it out")
    for count in exact:
        where = f"{path}: exact {count.name}"
        of_batches = count.figure in BATCHES
        _one_of(where, "figure", count.figure, (*FIGURES, *BATCHES))
        _one_of(where, "loop", count.loop, ("all",) if of_batches else ("bare", *LOOPS))
        _one_of(where, "device", count.device, ("cpu", "cuda"))
    names = [bound.name for bound in (*ratios, *exact)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: {twice[0]} stands there twice; leave one")
    if not ratios or not exact:
        raise InputError(f"{path}: no bound; a gate without any holds nothing")
    return Bounds(ratios, exact)


def _rows(path: Path, text: dict[str, Any], table: str, kind: type[Any]) -> list[Any]:
    rows = text.get(table, [])
    if not isinstance(rows, list):
        raise InputError(f"{path}: {table} isn't a list of tables; write [[{table}]]")
    made = []
    for number, row in enumerate(rows, 1):
        where = f"{path}: {table} {number}"
        known = {f.name: f for f in fields(kind)}
        for key in sorted(set(row) - set(known)):
            raise InputError(f"{where}: unknown field {key!r}; known: {', '.join(known)}")
        for key, f in known.items():
            if key not in row:
                if f.default is not MISSING:
                    continue
                raise InputError(f"{where}: field {key} is missing; every bound has one")
            if type(row[key]) not in ((int, float) if f.type is float else (f.type,)):
                raise InputError(f"{where}: field {key}: {row[key]!r} is of another type")
        for key in {"at_most", "of_data"} & set(row):
            if not 0 < row[key] < float("inf"):
                raise InputError(f"{where}: field {key}: {row[key]} isn't a number above 0")
        if not row["reason"].strip():
            raise InputError(f"{where}: field reason is empty; say where the bound comes from")
        made.append(kind(**row))
    return made


def _one_of(where: str, field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{where}: field {field}: {value!r} is none of {', '.join(known)}")
