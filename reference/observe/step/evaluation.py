"""An evaluation as it goes: what a model predicts, gathered over its passes."""

from dataclasses import dataclass

import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.generators import generator_states
from reference.observe.step import describe
from reference.observe.tensors.hashing import buffer_of


@dataclass
class Prediction:
    """What one forward pass predicts: for an evaluation."""

    count: int
    predictions: bytes
    logits: str
    shape: list[int]


def predict(outputs: dict[str, Tensor]) -> Prediction | None:
    """None for outputs with nothing to take an argmax of."""
    found = describe.logits(outputs)
    if found is None or found.dim() == 0 or found.numel() == 0 or found.is_complex():
        return None
    plain = describe.dense(found)
    plain = plain.float() if plain.is_floating_point() else plain
    classes = plain.argmax(-1) if plain.dim() > 1 else plain
    hashed = xxhash.xxh3_64_hexdigest(buffer_of(plain))
    return Prediction(len(plain), bytes(buffer_of(classes)), hashed, list(plain.shape))


class Evaluation:
    """Forward passes that are no part of a step, one after another: what was predicted."""

    def __init__(self, step: int, training: bool) -> None:
        self.step = step
        self.scores: dict[str, describe.Number] = {}
        self.scored = False
        self.unseen = ""  # why some of it couldn't be recorded
        self._training = training
        self._count = 0
        self._predictions = xxhash.xxh3_128()
        self._logits = xxhash.xxh3_128()
        self._shapes = xxhash.xxh3_64()
        self._rng = generator_states()["torch"] if training else None

    def add(self, prediction: Prediction) -> None:
        self._count += prediction.count
        self._predictions.update(prediction.predictions)
        self._logits.update(prediction.logits.encode())
        self._shapes.update(repr(prediction.shape).encode())

    def record(self) -> Record:
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
        record = {"kind": "evaluation", "step": self.step, "metrics": metrics}
        return {**record, "unseen": self.unseen} if self.unseen else record
