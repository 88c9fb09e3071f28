"""Evaluations: what models take and give in forward passes that are no part of a step.

Passes of one model that follow each other make one evaluation, until a step, the scores or the end
comes. Its rows are hashed in their order, so that it doesn't matter how they were batched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.generators import generator_states
from reference.observe.step import describe
from reference.observe.step.arguments import Arguments
from reference.observe.step.rows import Rows
from reference.observe.tensors.hashing import buffer_of, hash_tensor
from reference.observe.tensors.seen_models import SeenModel

# A pass with gradients is looked at before it is known that no step is made of it: its tensors are
# copied until then, and of those with more bytes only the hash is kept.
KEPT = 1 << 20
FEW = 4  # values of one argument that are kept
HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Part:
    """One tensor that a pass takes or gives."""

    values: memoryview | bytes  # bytes: a hash of what is large
    form: str  # its type, and the shape of one row
    by_rows: bool  # else it is one thing for all of a batch: a mean loss, say
    total: float | None = None  # of all its values, where these are real or complex numbers
    square: float = 0.0


@dataclass
class Content:
    """What one forward pass takes and gives. `settle` it before the parts are read."""

    rows: Rows | None
    shape: str = ""  # of what it is made of: passes of other shapes compute other bits
    inputs: dict[str, Part] = field(default_factory=dict)
    outputs: dict[str, Part] = field(default_factory=dict)
    predictions: bytes = b""  # the classes of each row, by argmax over the last dimension
    waiting: list[Callable[[], None]] = field(default_factory=list)  # what `settle` has to do
    arguments: Record = field(default_factory=dict)  # that are no tensors

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
        wide = {n: t.float() if t.dtype in HALVES else t for n, t in outputs.items()}
        self._add(self.outputs, wide, keep=keep)
        logits = describe.logits(outputs)
        if logits is None:
            return
        if not keep:
            self.predictions = _predictions(logits, self.rows)
        elif not _is_large(logits):
            copy = logits.detach().clone()
            self.waiting.append(lambda: self._predict(copy))

    def add_loss(self, name: str, given: Arguments, output: Tensor) -> None:
        """Add a loss that is a module of its own: what it is given beside, and what it makes.

        Their shapes say nothing of how the model's rows were batched.
        """
        tensors = {f"{name}.{place}": t for place, t in given.tensors.items()}
        self._add(self.inputs, tensors, keep=True)
        self.arguments.update({f"{name}.{place}": v for place, v in given.plain.items()})
        self._add(self.outputs, {name: output}, keep=True)

    def settle(self) -> None:
        """Look at the copies: no step was made of this pass."""
        for look in self.waiting:
            look()
        self.waiting = []

    def _add(self, parts: dict[str, Part], tensors: Mapping[str, Tensor], *, keep: bool) -> None:
        if not keep:
            parts.update({name: _part(t, self.rows) for name, t in tensors.items()})
            return
        large = {name: _part_of_large(t) for name, t in tensors.items() if _is_large(t)}
        copies = {n: large[n] if n in large else t.detach().clone() for n, t in tensors.items()}
        self.waiting.append(lambda: self._look_at(parts, copies))

    def _look_at(self, parts: dict[str, Part], copies: Mapping[str, Tensor | Part]) -> None:
        for name, copy in copies.items():
            parts[name] = copy if isinstance(copy, Part) else _part(copy, self.rows)

    def _predict(self, logits: Tensor) -> None:
        self.predictions = _predictions(logits, self.rows)


def _is_large(tensor: Tensor) -> bool:
    return tensor.numel() * tensor.element_size() > KEPT


def _part_of_large(tensor: Tensor) -> Part:
    form = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
    return Part(hash_tensor(tensor).encode(), form, by_rows=False)


def _part(tensor: Tensor, rows: Rows | None) -> Part:
    values = tensor.detach()
    kind = str(values.dtype).removeprefix("torch.")
    by_rows = rows is not None and rows.fit(values)
    if by_rows and rows is not None and values.layout == torch.strided:
        before, values = values.dim(), rows.of(values)
        form = f"{kind} {list(values.shape[1:])}" + (" a position" if values.dim() < before else "")
    else:
        form, by_rows = f"{kind} {list(values.shape)}", False
    total, square = _sums(values) if by_rows else (None, 0.0)
    return Part(buffer_of(values), form, by_rows, total, square)


def _sums(values: Tensor) -> tuple[float | None, float]:
    """The sum of all values and of their squares."""
    if values.is_quantized or not (values.is_floating_point() or values.is_complex()):
        return None, 0.0
    real = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    norm = torch.linalg.vector_norm(real, dtype=torch.float64)
    return float(real.sum(dtype=torch.float64)), float(norm) ** 2


def _predictions(logits: Tensor, rows: Rows | None) -> bytes:
    """The class of each row; nothing where there is just one number for each."""
    if logits.dim() < 2 or logits.shape[-1] < 2 or logits.numel() == 0 or logits.is_complex():
        return b""
    values = describe.dense(logits)
    classes = (values.float() if values.is_floating_point() else values).argmax(-1)
    return bytes(buffer_of(rows.of(classes) if rows and rows.fit(classes) else classes))


class _Stream:
    """One input or output of all passes of an evaluation, hashed as it comes."""

    def __init__(self, part: Part) -> None:
        self._hash = xxhash.xxh3_64()
        self._form = part.form
        self._by_rows = True
        self._total: float | None = 0.0 if part.total is not None else None
        self._square = 0.0

    def add(self, part: Part) -> None:
        self._hash.update(part.values)
        if part.form != self._form:
            self._hash.update(part.form.encode())
            self._by_rows = False
        self._by_rows = self._by_rows and part.by_rows
        if self._total is not None and part.total is not None:
            self._total += part.total
            self._square += part.square

    def record(self) -> list[object]:
        """Hash, form, and of numbers by rows their sum and 2-norm."""
        if not self._by_rows:
            return [self._hash.hexdigest(), f"{self._form} a batch"]
        if self._total is None:
            return [self._hash.hexdigest(), self._form]
        sums = describe.number(self._total), describe.number(self._square**0.5)
        return [self._hash.hexdigest(), self._form, *sums]


class Evaluation:
    """One evaluation of one model.

    Args:
        step: the steps before it.
        model: whose passes it is made of; None where none could be recorded.
        mode: whether the model is in training mode, where dropout draws numbers; and what autocast
            computes in, or 'off'.
    """

    def __init__(self, step: int, model: SeenModel | None, mode: tuple[bool, str]) -> None:
        self.scores: dict[str, describe.Number] = {}
        self.has_scores = False
        self.unseen = ""  # why some of it couldn't be recorded
        self._step, self._model = step, model
        self._training, self._autocast = mode
        self._count = 0
        self._lengths, self._predictions = xxhash.xxh3_64(), xxhash.xxh3_128()
        self._shapes = xxhash.xxh3_64()
        self._inputs: dict[str, _Stream] = {}
        self._outputs: dict[str, _Stream] = {}
        self._arguments: dict[str, list[object]] = {}  # by name, distinct values
        self._rng = generator_states()["torch"] if self._training else None
        self._weights = "" if model is None else str(model.state()["hash"])

    def add(self, content: Content) -> None:
        """Add one more pass."""
        content.settle()
        if content.rows is not None:
            self._count += content.rows.count
            self._lengths.update(content.rows.lengths)
        self._shapes.update(content.shape.encode())
        self._predictions.update(content.predictions)
        for name, value in content.arguments.items():
            values = self._arguments.setdefault(name, [])
            if value not in values and len(values) < FEW:
                values.append(value)
        both = (self._inputs, content.inputs), (self._outputs, content.outputs)
        for streams, parts in both:
            for name, part in parts.items():
                streams.setdefault(name, _Stream(part)).add(part)

    def record(self) -> Record:
        """Its line in the ledger."""
        metrics: Record = {
            "count": self._count,
            "training": self._training,
            "autocast": self._autocast,
            "batches": self._shapes.hexdigest(),
            "rows": self._lengths.hexdigest(),
            "inputs": {name: stream.record() for name, stream in self._inputs.items()},
            "weights": self._weights,
            "outputs": {name: stream.record() for name, stream in self._outputs.items()},
            "predictions": self._predictions.hexdigest(),
            "scores": self.scores,
        }
        if self._rng is not None:
            metrics["rng"] = self._rng
        if self._arguments:
            each = self._arguments.items()
            metrics["arguments"] = {
                n: v[0] if len(v) == 1 else ", ".join(map(str, v)) for n, v in each
            }
        record: Record = {"kind": "evaluation", "step": self._step}
        if self._model is not None:
            trained = self._model.trained or self._model.of_trained
            record |= {"model": self._model.name, "trained": trained}
        record["metrics"] = metrics
        return {**record, "unseen": self.unseen} if self.unseen else record


class Evaluations:
    """The evaluations that are open, one for each model; `write` gets their records at the end."""

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._write = write
        self._open: dict[str, Evaluation] = {}
        self._last: Evaluation | None = None  # of the pass that came last
        self._missed = ""  # why a pass couldn't be recorded

    @property
    def are_open(self) -> bool:
        """Whether a pass was made that is no part of a step, since the last step."""
        return self._last is not None

    def add(self, step: int, model: SeenModel, mode: tuple[bool, str], content: Content) -> None:
        """A forward pass after `step` steps."""
        self._opened(step, model, mode).add(content)

    def add_loss(self, name: str, given: Arguments, output: Tensor) -> None:
        """A loss that is a module of its own, after the last pass."""
        if self._last is not None:
            loss = Content(None)
            loss.add_loss(name, given, output)
            self._last.add(loss)

    def miss(self, step: int, why: str) -> None:
        """A pass that can't be recorded, of a model that isn't known.

        The records of all the evaluations around it say so, and aren't compared.
        """
        if self._last is None or self._last.has_scores:
            self._opened(step, None, (False, "off"))
        self._missed = why

    def taint(self, why: str) -> None:
        """Something that is no evaluation's was taken for a pass of the open one."""
        if self._last is not None:
            self._last.unseen = why

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the last evaluation, after which the next pass begins another."""
        if self._last is not None:
            self._last.scores.update({k: describe.number(v) for k, v in scores.items()})
            self._last.has_scores = True

    def close(self) -> None:
        """Write the open evaluations: a step or the end comes."""
        for evaluation in self._open.values():
            evaluation.unseen = evaluation.unseen or self._missed
            self._write(evaluation.record())
        self._open, self._last, self._missed = {}, None, ""

    def _opened(self, step: int, model: SeenModel | None, mode: tuple[bool, str]) -> Evaluation:
        if self._last is not None and self._last.has_scores:
            self.close()
        key = "" if model is None else f"{model.name} {mode}"
        if key not in self._open:
            self._open[key] = Evaluation(step, model, mode)
        self._last = self._open[key]
        return self._last
