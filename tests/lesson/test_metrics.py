"""The metric: against values worked out by hand, and against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from transformers import EvalPrediction

from reference.lesson.metrics import (
    GlueMetric,
    accuracy,
    compute_metrics,
    f1,
    load_metric,
    matthews_correlation,
)
from reference.lesson.tasks import TASKS
from tests.helpers.refusal import refusal, says

PLAIN = settings(deadline=None, max_examples=60)
EMPTY = (AttributeError, ValueError)  # what `evaluate` raises where nothing was added
PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)

# Which scores GLUE gives a task: Wang et al., 2018, table 1.
SCORES = {
    "mrpc": {"accuracy", "f1"},
    "sst2": {"accuracy"},
    "cola": {"matthews_correlation"},
    "rte": {"accuracy"},
    "qnli": {"accuracy"},
    "qqp": {"accuracy", "f1"},
    "mnli": {"accuracy"},
    "wnli": {"accuracy"},
    "stsb": {"pearson", "spearmanr"},
}

# Eight rows: 3 true and 1 false positives, 2 true and 2 false negatives.
PREDICTIONS = [1, 1, 1, 1, 0, 0, 0, 0]
REFERENCES = [1, 1, 1, 0, 0, 0, 1, 1]


def scores(task: str, predictions: Any, references: Any) -> dict[str, float]:
    metric = load_metric(task)
    metric.add_batch(predictions=predictions, references=references)
    return dict(metric.compute())


def test_by_hand() -> None:
    """5 of 8; 2 * 3 / (4 + 5); (3 * 2 - 1 * 2) / sqrt(4 * 5 * 3 * 4)."""
    mrpc = scores("mrpc", PREDICTIONS, REFERENCES)
    assert mrpc == {"accuracy": 5 / 8, "f1": 6 / 9}
    cola = scores("cola", PREDICTIONS, REFERENCES)
    assert cola == {"matthews_correlation": pytest.approx(4 / 240**0.5, rel=1e-15)}


def test_f1_is_of_class_1() -> None:
    """Of class 0 it would be 2 * 2 / (4 + 3), and the mean of both 0.619."""
    assert f1(np.array(PREDICTIONS), np.array(REFERENCES)) == 6 / 9
    other = f1(1 - np.array(PREDICTIONS), 1 - np.array(REFERENCES))
    assert other == 4 / 7


@pytest.mark.parametrize(
    ("predictions", "references", "expected"),
    [
        ([1, 0, 1], [1, 0, 1], (1.0, 1.0, 1.0)),
        ([0, 1, 0], [1, 0, 1], (0.0, 0.0, -1.0)),
        ([0, 0, 0], [0, 0, 0], (1.0, 0.0, 0.0)),
        ([1, 1, 1], [1, 1, 1], (1.0, 1.0, 0.0)),
        ([1, 1, 1, 1], [1, 0, 1, 0], (0.5, 2 / 3, 0.0)),
        ([0], [1], (0.0, 0.0, 0.0)),
    ],
)
def test_edges(
    predictions: list[int], references: list[int], expected: tuple[float, float, float]
) -> None:
    p, r = np.array(predictions), np.array(references)
    assert (accuracy(p, r), f1(p, r), matthews_correlation(p, r)) == expected


@PLAIN
@given(pairs=PAIRS)
def test_against_scikit_learn_and_within_range(pairs: list[tuple[int, int]]) -> None:
    p, r = map(np.array, zip(*pairs, strict=True))
    assert accuracy(p, r) == pytest.approx(accuracy_score(r, p), abs=1e-15)
    assert f1(p, r) == pytest.approx(f1_score(r, p, zero_division=0.0), abs=1e-15)
    assert 0.0 <= accuracy(p, r) <= 1.0
    assert 0.0 <= f1(p, r) <= 1.0
    assert -1.0 <= matthews_correlation(p, r) <= 1.0 + 1e-15
    if len(set(p)) == len(set(r)) == 2:  # else scikit-learn warns, and gives 0 as well
        expected = matthews_corrcoef(r, p)
        assert matthews_correlation(p, r) == pytest.approx(expected, abs=1e-12)


@PLAIN
@given(pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_three_classes(pairs: list[tuple[int, int]]) -> None:
    p, r = map(list, zip(*pairs, strict=True))
    assert scores("mnli", p, r) == {"accuracy": pytest.approx(accuracy_score(r, p), abs=1e-15)}


@PLAIN
@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_f1_of_more_classes_is_the_mean_of_each_ones(pairs: list[tuple[int, int]]) -> None:
    p, r = map(list, zip(*pairs, strict=True))
    average = "macro" if max(*p, *r) > 1 else "binary"
    expected = f1_score(r, p, average=average, zero_division=0.0)
    assert scores("classification", p, r)["f1"] == pytest.approx(expected, abs=1e-15)


@PLAIN
@given(
    pairs=st.lists(
        st.tuples(st.floats(-5, 5, width=16), st.floats(-5, 5, width=16)), min_size=2, max_size=60
    )
)
def test_correlations_are_scipys(pairs: list[tuple[float, float]]) -> None:
    p, r = (list(values) for values in zip(*pairs, strict=True))
    found = scores("stsb", p, r)
    if len(set(p)) == 1 or len(set(r)) == 1:
        assert found == {"pearson": 0.0, "spearmanr": 0.0}
        return
    expected = {"pearson": stats.pearsonr(p, r)[0], "spearmanr": stats.spearmanr(p, r)[0]}
    assert found == pytest.approx(expected, abs=1e-12)
    ranks = stats.rankdata(p), stats.rankdata(r)  # of which Spearman's is Pearson's
    assert found["spearmanr"] == pytest.approx(stats.pearsonr(*ranks)[0], abs=1e-9)


def test_a_regressions_logits_are_its_predictions() -> None:
    logits = np.array([[0.5], [2.0], [1.0]], dtype=np.float32)
    prediction = EvalPrediction(predictions=logits, label_ids=np.array([1.0, 3.0, 2.5]))
    assert compute_metrics("stsb", prediction) == scores("stsb", logits[:, 0], [1.0, 3.0, 2.5])
    half = torch.tensor(logits[:, 0], dtype=torch.bfloat16)
    assert scores("stsb", half, [1.0, 3.0, 2.5]) == scores("stsb", logits[:, 0], [1.0, 3.0, 2.5])


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_own_scores(task: str) -> None:
    metric = load_metric(task)
    assert isinstance(metric, GlueMetric)
    assert metric.config_name == task
    found = scores(task, [0, 1, 1], [0, 1, 0])
    assert found.keys() == SCORES[task]
    assert {type(value) for value in found.values()} == {float}


def test_every_task_is_in_the_table_above() -> None:
    assert SCORES.keys() == TASKS.keys()


@PLAIN
@given(pairs=PAIRS, size=st.integers(1, 20))
def test_several_batches_are_one(pairs: list[tuple[int, int]], size: int) -> None:
    """Also of uneven sizes: a mean of the batches' scores would weigh the last one too much."""
    p, r = map(list, zip(*pairs, strict=True))
    metric = load_metric("mrpc")
    for i in range(0, len(p), size):
        metric.add_batch(predictions=p[i : i + size], references=r[i : i + size])
    assert metric.compute() == scores("mrpc", p, r)


def test_tensors_and_arrays_are_taken() -> None:
    expected = scores("mrpc", PREDICTIONS, REFERENCES)
    assert scores("mrpc", torch.tensor(PREDICTIONS), torch.tensor(REFERENCES)) == expected
    assert scores("mrpc", np.array(PREDICTIONS), np.array(REFERENCES)) == expected


def test_computing_twice_and_nothing() -> None:
    """What was computed is gone: a second result can't be the first one's by mistake."""
    metric = load_metric("mrpc")
    metric.add_batch(predictions=PREDICTIONS, references=REFERENCES)
    metric.compute()
    with pytest.raises(EMPTY):
        metric.compute()
    metric.add_batch(predictions=[0], references=[1])
    assert metric.compute() == {"accuracy": 0.0, "f1": 0.0}
    with pytest.raises(EMPTY):
        load_metric("mrpc").compute()


def test_two_metrics_at_once_dont_mix() -> None:
    one, two = load_metric("mrpc"), load_metric("mrpc")
    one.add_batch(predictions=[1], references=[1])
    two.add_batch(predictions=[0], references=[1])
    assert one.compute()["accuracy"] == 1.0
    assert two.compute()["accuracy"] == 0.0


def test_no_code_is_loaded_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`evaluate.load("glue", ...)` would run the first of these files; the network is shut."""
    for path in ("glue/glue.py", "metrics/glue/glue.py", "glue.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("raise AssertionError('run')\n")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert scores("mrpc", PREDICTIONS, REFERENCES)["accuracy"] == 5 / 8
    assert sorted(tmp_path.rglob("*")) == before


def test_what_trainer_calls() -> None:
    """The larger logit counts, whatever its sign."""
    logits = np.array([[-3.0, -1.0], [2.0, 1.0], [0.5, 0.25], [-1.0, 0.0]])
    prediction = EvalPrediction(predictions=logits, label_ids=np.array([1, 0, 1, 1]))
    assert compute_metrics("mrpc", prediction) == {"accuracy": 3 / 4, "f1": 4 / 5}
    assert compute_metrics("cola", prediction) == scores("cola", [1, 0, 0, 1], [1, 0, 1, 1])


def test_an_unknown_task() -> None:
    says(refusal(lambda: load_metric("mprc")), "did you mean mrpc?")
