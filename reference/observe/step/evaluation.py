"""Evaluations: what a model predicts in forward passes that are no part of a step.

Passes that follow each other make one evaluation, until a step, the scores or the end comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.generators import generator_states
from reference.observe.step import describe
from reference.observe.tensors.hashing import buffer_of


@dataclass
class Prediction:
    """What one forward pass predicts."""

    count: int  # of rows
    predictions: bytes  # the classes, by argmax over the last dimension
    logits: str  # their hash
    shape: list[int]  # of the logits


def predict(outputs: dict[str, Tensor]) -> Prediction | None:
    """What a model's outputs predict; None where there is nothing to take an argmax of."""
    logits = describe.logits(outputs)
    if logits is None or logits.dim() == 0 or logits.numel() == 0 or logits.is_complex():
        return None
    values = describe.dense(logits)
    values = values.float() if values.is_floating_point() else values
    classes = values.argmax(-1) if values.dim() > 1 else values
    hashed = xxhash.xxh3_64_hexdigest(buffer_of(values))
    return Prediction(len(values), bytes(buffer_of(classes)), hashed, list(values.shape))


class Evaluation:
    """One evaluation: all that its passes predicted, hashed in their order.

    Args:
        step: the steps before it.
        training: whether the model is in training mode, where dropout draws numbers.
    """

    def __init__(self, step: int, training: bool) -> None:
        self.scores: dict[str, describe.Number] = {}
        self.has_scores = False
        self.unseen = ""  # why some of it couldn't be recorded
        self._step = step
        self._training = training
        self._count = 0
        self._predictions = xxhash.xxh3_128()
        self._logits = xxhash.xxh3_128()
        self._shapes = xxhash.xxh3_64()
        self._rng = generator_states()["torch"] if training else None

    def add(self, prediction: Prediction) -> None:
        """Add what one more pass predicts."""
        self._count += prediction.count
        self._predictions.update(prediction.predictions)
        self._logits.update(prediction.logits.encode())
        self._shapes.update(repr(prediction.shape).encode())

    def record(self) -> Record:
        """Its line in the ledger."""
        metrics: Record = {
            "predictions": self._predictions.hexdigest(),
            "logits": self._logits.hexdigest(),
            "batches": self._shapes.hexdigest(),
            "count": self._count,
            "training": self._training,
            "scores": self.scores,
        }
        if self._rng is not None:
            metrics["rng"] = self._rng
        record = {"kind": "evaluation", "step": self._step, "metrics": metrics}
        return {**record, "unseen": self.unseen} if self.unseen else record


class Evaluations:
    """The evaluation that is open, if one is; `write` gets its record when it is over."""

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._write = write
        self._open: Evaluation | None = None

    def add(self, step: int, training: bool, prediction: Prediction | None) -> None:
        """A forward pass after `step` steps; `prediction` is None where it predicts nothing."""
        self._close_scored()
        if prediction is not None:
            self._opened(step, training).add(prediction)

    def miss(self, step: int, why: str) -> None:
        """A pass that can't be recorded: its evaluation's record says so, and isn't compared."""
        self._close_scored()
        self._opened(step, training=False).unseen = why

    def taint(self, why: str) -> None:
        """Something that is no evaluation's was taken for a pass of the open one."""
        if self._open is not None:
            self._open.unseen = why

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the open evaluation, after which the next pass begins another."""
        if self._open is not None:
            self._open.scores.update({k: describe.number(v) for k, v in scores.items()})
            self._open.has_scores = True

    def close(self) -> None:
        """Write the open evaluation: a step or the end comes."""
        if self._open is not None:
            self._write(self._open.record())
            self._open = None

    def _opened(self, step: int, training: bool) -> Evaluation:
        if self._open is None:
            self._open = Evaluation(step, training)
        return self._open

    def _close_scored(self) -> None:
        if self._open is not None and self._open.has_scores:
            self.close()
