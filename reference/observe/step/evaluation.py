"""Evaluations: what models take and give in forward passes that are no part of a step.

Passes of one model that follow each other make one evaluation, until a step, the scores or the end
comes. Its rows are hashed in their order, so that it doesn't matter how they were batched.
"""

from collections.abc import Callable, Mapping

import torch
import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.generators import hash_torch
from reference.observe.step import describe
from reference.observe.step.arguments import Arguments
from reference.observe.step.content import Content, Part
from reference.observe.tensors.seen_models import SeenModel

FEW = 4  # values of one argument that are kept


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
        self._rng = hash_torch(torch.get_rng_state()) if self._training else None
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
