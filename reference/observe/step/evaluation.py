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
from reference.observe.step.content import Content
from reference.observe.step.evaluation_streams import Streams
from reference.observe.step.passes_after_passes import Again, Given, GoingOn
from reference.observe.tensors.seen_models import SeenModel

FEW = 4  # values of one argument that are kept


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
        self._lengths, self._shapes = xxhash.xxh3_64(), xxhash.xxh3_64()
        self._own, self._whole = Streams(), Streams()
        self._arguments: dict[str, list[object]] = {}  # by name, distinct values
        self._rng = hash_torch(torch.get_rng_state()) if self._training else None
        self._held = "" if model is None else model.values()
        self._is_precise = model is not None and _is_precise(model, self._autocast)
        self._computed: set[str] = set()  # inputs that other passes gave
        self._going_on = GoingOn()
        self._again = Again()

    def add(self, content: Content) -> None:
        """Add one more pass."""
        content.settle()
        if content.goes_on:
            self._going_on.add(content)
            return
        self._going_on.begin()
        self._shapes.update(content.shape.encode())
        self._again.look_at(content, self._metrics)
        if content.rows is not None:
            self._count += content.rows.count
            self._lengths.update(content.rows.lengths)
            self._shapes.update(content.rows.layout)
        self._computed |= content.computed
        self._is_precise = self._is_precise and not content.gives_halves
        self._add(content)

    def add_loss(self, loss: Content) -> None:
        """Add what a loss module is given and makes: of rows that a pass has brought."""
        loss.settle()
        self._add(loss)

    def _add(self, content: Content) -> None:
        for name, value in content.arguments.items():
            values = self._arguments.setdefault(name, [])
            if value not in values and len(values) < FEW:
                values.append(value)
        self._own.add(content)
        self._whole.add_whole(content)

    def record(self) -> Record:
        """Its line in the ledger."""
        record: Record = {"kind": "evaluation", "step": self._step}
        if self._model is not None:
            trained = self._model.trained or self._model.of_trained
            record |= {"model": self._model.name, "trained": trained}
            if self._training:
                record |= self._model.in_train_mode()
        record["metrics"] = {**self._metrics(), "scores": self.scores}
        earlier = self._again.earlier()
        if earlier:
            record["metrics"]["earlier"] = earlier
        return {**record, "unseen": self.unseen} if self.unseen else record

    def _metrics(self) -> Record:
        """What it is so far."""
        metrics: Record = {
            "count": self._count,
            "training": self._training,
            "autocast": self._autocast,
            "precise": self._is_precise,
            "batches": self._shapes.hexdigest(),
            "rows": self._lengths.hexdigest(),
            "held": self._held,
            **self._own.record(),
            "scores": {},
        }
        if self._whole.inputs:
            metrics["whole"] = self._whole.record()
        if self._computed:
            metrics["computed"] = sorted(self._computed)
        if self._going_on.passes:
            metrics["going_on"] = self._going_on.record()
        if self._rng is not None:
            metrics["rng"] = self._rng
        if self._arguments:
            each = self._arguments.items()
            metrics["arguments"] = {
                n: v[0] if len(v) == 1 else ", ".join(map(str, v)) for n, v in each
            }
        return metrics


def _is_precise(model: SeenModel, autocast: str) -> bool:
    """Whether all of it is computed in float32 or better, as far as can be told."""
    best = torch.get_float32_matmul_precision() == "highest"
    return best and autocast == "off" and model.is_precise()


class Evaluations:
    """The evaluations that are open, one for each model; `write` gets their records at the end."""

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._write = write
        self._open: dict[str, Evaluation] = {}
        self._last: Evaluation | None = None  # of the pass that came last
        self._missed = ""  # why a pass couldn't be recorded
        self.given = Given()  # what the passes so far gave

    def add(self, step: int, model: SeenModel, mode: tuple[bool, str], content: Content) -> None:
        """A forward pass after `step` steps."""
        self._opened(step, model, mode).add(content)

    def add_loss(self, name: str, given: Arguments, output: Tensor) -> None:
        """A loss that is a module of its own, after the last pass."""
        if self._last is not None:
            loss = Content(None)
            loss.add_loss(name, given, output)
            self._last.add_loss(loss)

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
        self.given.forget()

    def _opened(self, step: int, model: SeenModel | None, mode: tuple[bool, str]) -> Evaluation:
        if self._last is not None and self._last.has_scores:
            self.close()
        key = "" if model is None else f"{model.name} {mode}"
        if key not in self._open:
            self._open[key] = Evaluation(step, model, mode)
        self._last = self._open[key]
        return self._last
