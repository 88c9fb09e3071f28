"""One metric for all three loops: GLUE's scores, as an `evaluate.Metric` made directly.

`evaluate.load("glue", "mrpc")` would download code and run it, or run a `glue/glue.py` that lies
in the working directory. This class does neither.
"""

from collections.abc import Mapping
from typing import Any

import datasets
import evaluate
import numpy as np
import torch
from torch import Tensor
from transformers import EvalPrediction

from reference.lesson.tasks import get_task

Scores = dict[str, float]  # by name
LOSS = "loss"  # stands among the scores of an evaluation, and is none


def last_scores(evaluations: Mapping[int, Scores]) -> Scores:
    """The scores of a run: those of its last evaluation, without the loss."""
    last = evaluations[max(evaluations)]
    return {name: value for name, value in last.items() if name != LOSS}


class GlueMetric(evaluate.Metric):  # type: ignore[misc]  # it has no types
    """GLUE's scores for one task (`config_name`): accuracy, F1, correlations.

    `add_batch(predictions=, references=)` takes class numbers of shape (n,), or of a regression
    numbers; `compute()` gives each of the task's scores as a float. F1 is that of class 1, as GLUE
    has it; of more than two classes the mean of each one's.
    """

    def _info(self) -> evaluate.MetricInfo:
        number = datasets.Value("float32" if get_task(self.config_name).regression else "int64")
        return evaluate.MetricInfo(
            description="The scores of a GLUE task, or of one of its kind.",
            citation="Wang et al., GLUE, 2018 (arXiv 1804.07461)",
            inputs_description="predictions, references: class numbers, or numbers",
            features=datasets.Features({"predictions": number, "references": number}),
            reference_urls=["https://gluebenchmark.com"],
        )

    def add_batch(self, *, predictions: Any, references: Any) -> None:
        """Take one batch; NumPy, and so Arrow, knows no bfloat16."""
        if isinstance(predictions, Tensor) and predictions.dtype == torch.bfloat16:
            predictions = predictions.float()
        super().add_batch(predictions=predictions, references=references)

    def _compute(
        self, predictions: "np.ndarray | list[int]", references: "np.ndarray | list[int]"
    ) -> dict[str, float]:
        p, r = np.asarray(predictions), np.asarray(references)
        return {name: SCORES[name](p, r) for name in get_task(self.config_name).metrics}


def load_metric(task: str) -> GlueMetric:
    """The metric of a task; nothing is downloaded, and nothing loaded by name."""
    return GlueMetric(config_name=get_task(task).name, keep_in_memory=True)


def compute_metrics(task: str, prediction: EvalPrediction) -> dict[str, float]:
    """What `Trainer` calls after an evaluation: logits of shape (n, labels), labels (n,)."""
    logits, labels = prediction
    metric = load_metric(task)
    regression = get_task(task).regression
    predictions = logits[:, 0] if regression else np.argmax(logits, axis=-1)
    metric.add_batch(predictions=predictions, references=labels)
    return dict(metric.compute())


def mean_loss(losses: list[Tensor]) -> float:
    """The mean over all rows of an evaluation, to the last digit the Trainer's `eval_loss`.

    Args:
        losses: of each batch, its loss (a mean of its rows) once for each of them, of shape (n,).

    Returns:
        The mean as NumPy sums it, in float32. torch's sum goes in another order, and ends in other
        digits.
    """
    return torch.cat(losses).float().cpu().numpy().mean().item()  # type: ignore[no-any-return]


def accuracy(predictions: np.ndarray, references: np.ndarray) -> float:
    """The share of equal class numbers."""
    return float((predictions == references).mean())


def f1(predictions: np.ndarray, references: np.ndarray) -> float:
    """F1 of class 1; of more than two classes the mean of each one's (macro).

    A class is counted where it is there or predicted, as scikit-learn does.
    """
    classes = np.union1d(predictions, references)
    if classes.max() > 1:
        return float(np.mean([f1_of(number, predictions, references) for number in classes]))
    return f1_of(1, predictions, references)


def f1_of(number: int, predictions: np.ndarray, references: np.ndarray) -> float:
    """F1 of one class: 2 TP / (2 TP + FP + FN); 0.0 where it is neither there nor predicted."""
    true_positives = int(((predictions == number) & (references == number)).sum())
    positives = int((predictions == number).sum()) + int((references == number).sum())
    return 2 * true_positives / positives if positives else 0.0


def matthews_correlation(predictions: np.ndarray, references: np.ndarray) -> float:
    """The correlation of two binary labels (Matthews, 1975); 0.0 where one never varies."""
    p, r = predictions == 1, references == 1
    tp, tn = int((p & r).sum()), int((~p & ~r).sum())
    fp, fn = int((p & ~r).sum()), int((~p & r).sum())
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return float((tp * tn - fp * fn) / spread**0.5) if spread else 0.0


def pearson(predictions: np.ndarray, references: np.ndarray) -> float:
    """The correlation of two series of numbers; 0.0 where one never varies."""
    from scipy.stats import pearsonr  # half a second, for regressions alone

    p, r = predictions.astype(float), references.astype(float)
    return float(pearsonr(p, r).statistic) if _vary(p, r) else 0.0


def spearmanr(predictions: np.ndarray, references: np.ndarray) -> float:
    """The correlation of their ranks; 0.0 where one never varies."""
    from scipy import stats

    p, r = predictions.astype(float), references.astype(float)
    return float(stats.spearmanr(p, r).statistic) if _vary(p, r) else 0.0


def _vary(*series: np.ndarray) -> bool:
    return all(len(np.unique(values)) > 1 for values in series)


SCORES = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews_correlation": matthews_correlation,
    "pearson": pearson,
    "spearmanr": spearmanr,
}
