"""Evaluations at other times than the loop's own, and scores that are computed in another way."""

from typing import Any

import numpy as np

from reference.lesson.metrics import GlueMetric
from reference.lesson.tasks import get_task


def is_due(completed_steps: int, when: int | tuple[int, ...]) -> bool:
    """Whether an evaluation follows: after every so many steps, or after each of these."""
    return completed_steps % when == 0 if isinstance(when, int) else completed_steps in when


class AverageOfBatches(GlueMetric):
    """Scores of each batch, averaged: a smaller last batch weighs as much as the others."""

    def __init__(self, task: str) -> None:
        super().__init__(config_name=get_task(task).name, keep_in_memory=True)
        self.sizes: list[int] = []

    def add_batch(self, *, predictions: Any, references: Any) -> None:
        """Take one batch."""
        self.sizes.append(len(references))
        super().add_batch(predictions=predictions, references=references)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        ends = np.cumsum(self.sizes)[:-1]
        batches = zip(np.split(predictions, ends), np.split(references, ends), strict=True)
        each = [super(AverageOfBatches, self)._compute(*batch) for batch in batches]
        self.sizes.clear()
        return {name: sum(scores[name] for scores in each) / len(each) for name in each[0]}


class OtherF1(GlueMetric):
    """F1 of class 0, or averaged over classes: `macro`, `weighted` by rows, `micro` (accuracy)."""

    def __init__(self, task: str, average: str) -> None:
        super().__init__(config_name=get_task(task).name, keep_in_memory=True)
        self.average = average

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = super()._compute(predictions, references)
        p, r = np.asarray(predictions), np.asarray(references)
        classes = sorted({*p.tolist(), *r.tolist()})
        each = {c: _f1_of(c, p, r) for c in classes}
        if self.average == "class 0":
            scores["f1"] = each.get(0, 0.0)
        elif self.average == "macro":
            scores["f1"] = float(np.mean(list(each.values())))
        elif self.average == "weighted":
            scores["f1"] = float(np.average([each[c] for c in classes], weights=_rows(r, classes)))
        else:
            scores["f1"] = float((p == r).mean())
        return scores


def _f1_of(label: int, p: "np.ndarray", r: "np.ndarray") -> float:
    total = int((p == label).sum()) + int((r == label).sum())
    return 2 * int(((p == label) & (r == label)).sum()) / total if total else 0.0


def _rows(r: "np.ndarray", classes: list[int]) -> list[int]:
    return [int((r == c).sum()) for c in classes]
