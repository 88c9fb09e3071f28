"""What one forward pass takes and gives, as an evaluation hashes it: by its rows.

It is looked at when the pass is made, or copied then and looked at later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.plain_outputs import Plain
from reference.observe.step.projections import HUGE, are_odd, odd_places, of_places, squashed
from reference.observe.step.rows import Rows
from reference.observe.tensors.hashing import buffer_of, hash_tensor

# A pass with gradients is looked at before it is known that no step is made of it: its tensors are
# copied until then, and of those with more bytes only the hash is kept.
KEPT = 1 << 20
HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Part:
    """One tensor that a pass takes or gives."""

    values: memoryview | bytes  # bytes: a hash of what is large
    form: str  # its type, and the shape of one row
    by_rows: bool  # else it is one thing for all of a batch: a mean loss, say
    numbers: "Numbers | None" = None  # of its values, where these are real or complex numbers
    whole: "Part | None" = None  # with what is taken for padding, where nothing but zeros says so


@dataclass(frozen=True)
class Numbers:
    """What is added up over the rows of a part."""

    plain: "Sums"
    squashed: "Sums"  # of the values between -1 and 1, so that large ones don't hide the others
    odd: np.ndarray | None  # where values aren't finite, or are huge: the sums are of the others


@dataclass(frozen=True)
class Sums:
    """Sums of some numbers."""

    total: float
    square: float  # of their squares
    signed: np.ndarray  # a few signed sums of each row (`projections.py`)


@dataclass
class Content:
    """What one forward pass takes and gives. `settle` it before the parts are read."""

    rows: Rows | None
    shape: str = ""  # of what it is made of: passes of other shapes compute other bits
    inputs: dict[str, Part] = field(default_factory=dict)
    outputs: dict[str, Part] = field(default_factory=dict)
    predictions: bytes = b""  # the classes of each row, by argmax over the last dimension
    whole_predictions: bytes = b""  # the same with what is taken for padding
    waiting: list[Callable[[], None]] = field(default_factory=list)  # what `settle` has to do
    arguments: Record = field(default_factory=dict)  # that are no tensors
    computed: set[str] = field(default_factory=set)  # inputs that passes before it gave
    gives_halves: bool = False  # an output is of 16 bits
    goes_on: bool = False  # from the last pass of the same model
    losses: set[str] = field(default_factory=set)  # of those that it is made of
    not_looked_into: set[str] = field(default_factory=set)  # what can't be read

    def take(self, inputs: Mapping[str, Tensor], *, keep: bool) -> None:
        """Add what the pass takes; `keep`: the tensors may change before this is used."""
        self.shape += "".join(f" {list(t.shape)}" for t in inputs.values())
        self._add(self.inputs, inputs, keep=keep)

    def give(self, outputs: Mapping[str, Tensor], *, keep: bool) -> None:
        """Add what it gives, and what that predicts."""
        if self.rows is None:
            first = next((t for t in outputs.values() if t.dim() > 0), None)
            self.rows = None if first is None else Rows(len(first))
        # Accelerate gives float32 copies of what a model computes in bfloat16: those are hashed.
        self.gives_halves = any(t.dtype in HALVES for t in outputs.values())
        wide = {n: t.float() if t.dtype in HALVES else t for n, t in outputs.items()}
        self._add(self.outputs, wide, keep=keep)
        logits = describe.logits(outputs)
        if logits is None:
            return
        if not keep:
            self._predict(logits)
        elif not _is_large(logits):
            copy = logits.detach().clone()
            self.waiting.append(lambda: self._predict(copy))

    def give_plain(self, output: Any) -> None:
        """Add what it gives that is no number: texts, by the rows where there is one for each."""
        plain = Plain()
        plain.add("", output)
        self._add_texts(self.outputs, plain)
        self.not_looked_into |= plain.unread

    def take_texts(self, given: Mapping[str, Any]) -> None:
        """Add lists of texts among what it takes; a text alone is an argument."""
        plain = Plain()
        for name, value in given.items():
            if isinstance(value, list | tuple | dict):
                plain.add(name, value)
        self._add_texts(self.inputs, plain)

    def _add_texts(self, parts: dict[str, Part], plain: Plain) -> None:
        for path, texts in plain.texts.items():
            if self.rows is None and path in plain.lists:
                self.rows = Rows(len(texts))
                self.shape += f" {len(texts)}"
            by_rows = self.rows is not None and len(texts) == self.rows.count > 0
            form = "text []" if by_rows else f"text [{len(texts)}]"
            parts.setdefault(path or "output", Part(b"".join(texts), form, by_rows))

    def settle(self) -> None:
        """Look at the copies: no step was made of this pass."""
        for look in self.waiting:
            look()
        self.waiting = []

    def _add(self, parts: dict[str, Part], tensors: Mapping[str, Tensor], *, keep: bool) -> None:
        if not keep:
            parts.update({name: part_of(t, self.rows) for name, t in tensors.items()})
            return
        large = {name: _part_of_large(t) for name, t in tensors.items() if _is_large(t)}
        copies = {n: large[n] if n in large else t.detach().clone() for n, t in tensors.items()}
        self.waiting.append(lambda: self._look_at(parts, copies))

    def _look_at(self, parts: dict[str, Part], copies: Mapping[str, Tensor | Part]) -> None:
        for name, copy in copies.items():
            parts[name] = copy if isinstance(copy, Part) else part_of(copy, self.rows)

    def _predict(self, logits: Tensor) -> None:
        self.predictions = _predictions(logits, self.rows)
        if self.rows is not None and self.rows.guessed:
            self.whole_predictions = _predictions(logits, Rows(self.rows.count))


def _is_large(tensor: Tensor) -> bool:
    return tensor.numel() * tensor.element_size() > KEPT


def _part_of_large(tensor: Tensor) -> Part:
    form = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
    return Part(hash_tensor(tensor).encode(), form, by_rows=False)


def part_of(tensor: Tensor, rows: Rows | None) -> Part:
    """A tensor as what an evaluation hashes of it; by its rows, where it has an entry for each."""
    values = tensor.detach()
    kind = str(values.dtype).removeprefix("torch.")
    if rows is None or not rows.fit(values) or values.layout != torch.strided:
        return Part(buffer_of(values), f"{kind} {list(values.shape)}", by_rows=False)
    whole = None
    if rows.guessed and rows.own_of(values) is not None:
        whole = part_of(values, Rows(rows.count))
    before, values = values.dim(), rows.of(values)
    form = f"{kind} {list(values.shape[1:])}" + (" a position" if values.dim() < before else "")
    return Part(buffer_of(values), form, True, _numbers(values), whole)


def _numbers(values: Tensor) -> Numbers | None:
    if values.is_quantized or not (values.is_floating_point() or values.is_complex()):
        return None
    real = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    sums, odd = _sums(real), None
    if not sums.square < HUGE:  # by far less than what one huge value makes of it
        odd_ones = are_odd(real)
        if bool(odd_ones.any()):
            odd = odd_places(real)
            real = real.masked_fill(odd_ones, 0)
            sums = _sums(real)
    return Numbers(sums, _sums(squashed(real)), odd)


def _sums(values: Tensor) -> Sums:
    norm = float(torch.linalg.vector_norm(values, dtype=torch.float64))
    # Not `norm**2`, which raises where it overflows.
    return Sums(float(values.sum(dtype=torch.float64)), norm * norm, of_places(values))


def _predictions(logits: Tensor, rows: Rows | None) -> bytes:
    """The class of each row; nothing where there is just one number for each."""
    if logits.dim() < 2 or logits.shape[-1] < 2 or logits.numel() == 0 or logits.is_complex():
        return b""
    values = describe.dense(logits)
    classes = (values.float() if values.is_floating_point() else values).argmax(-1)
    return bytes(buffer_of(rows.of(classes) if rows and rows.fit(classes) else classes))
