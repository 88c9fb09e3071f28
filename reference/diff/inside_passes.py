"""One forward pass as a ledger has it: its calls as a tree, and the settings of its modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from reference.ledger.record import Record

OUTPUT = {"[0]": "output"}  # a tensor alone, or the first of several


@dataclass
class Call:
    """One call of a module, with those that it makes."""

    name: str
    kind: str
    generators: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str] | None
    parts: list["Call"] = field(default_factory=list)

    def all(self) -> Iterator["Call"]:
        """It and all within it, in the order in which they begin."""
        yield self
        for part in self.parts:
            yield from part.all()


@dataclass
class Pass:
    """One forward pass: a call that stands for all, and each module's settings by its name."""

    top: Call
    rows: dict[str, dict[str, str]]

    @property
    def kind(self) -> str:
        """The model's class."""
        return self.top.parts[0].kind if self.top.parts else ""

    def of_model(self, kind: str) -> "Pass":
        """The pass of a model that this one wraps, if it does: by the model's class."""
        wrapped = next((c for c in self.top.all() if c.kind == kind), None)
        if wrapped is None or not kind or self.kind == kind:
            return self
        prefix = f"{wrapped.name}." if wrapped.name else ""

        def bare(name: str) -> str:
            return "" if name == wrapped.name else name.removeprefix(prefix)

        for call in self.top.all():
            call.name = bare(call.name)
        within = {n: row for n, row in self.rows.items() if f"{n}.".startswith(prefix)}
        rows = {**self.rows, **{bare(name): row for name, row in within.items()}}
        top = replace(self.top, parts=[wrapped, *self.top.parts[1:]])
        return Pass(top, rows)


def read_pass(record: Record) -> Pass:
    """The calls of a pass as a tree, and the settings; class and mode are among these."""
    top = Call("", "", "", {}, {})
    above = [top]
    for place, depth, generators, inputs, outputs in record["calls"]:
        name, kind = record["modules"][place][:2]
        # Attention gives its output alone or in a tuple, by its implementation.
        given = None if outputs is None else {OUTPUT.get(n, n): v for n, v in outputs.items()}
        call = Call(name, kind, generators, inputs, given)
        del above[depth + 1 :]
        above[-1].parts.append(call)
        above.append(call)
    rows: dict[str, dict[str, str]] = {}
    for name, kind, training, number in record["modules"]:
        mode = "train" if training else "eval"
        rows[name] = {"class": kind, "mode": mode, **record["settings"][number]}
    return Pass(top, rows)
