"""All nine tasks of GLUE, in its own files: three loops are one run, and its scores are right."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.keep.predictions import SavedModel
from reference.lesson import embedded
from reference.lesson.data.sources import load_raw
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import TASKS, Task, get_task
from reference.run.one_run import run
from tests.helpers.refusal import says
from tests.lesson.data.files import Rows, write_tsv

SCORES: dict[str, Any] = {
    "accuracy": accuracy_score,
    "f1": f1_score,
    "matthews_correlation": matthews_corrcoef,
    "pearson": lambda r, p: stats.pearsonr(p, r)[0],
    "spearmanr": lambda r, p: stats.spearmanr(p, r)[0],
}


def some_rows(task: Task, count: int, start: int = 0) -> Rows:
    """Sentences of the embedded corpus, with labels of the task's kind."""
    pairs = embedded.make_split("mrpc", "train")
    numbers = range(start, start + count)
    texts = {
        name: [pairs[f"sentence{i + 1}"][n] for n in numbers] for i, name in enumerate(task.text)
    }
    labels = [n % 11 / 2 if task.regression else n % len(task.labels) for n in numbers]
    return {**texts, "label": labels}


def write_task(folder: Path, name: str, *, labelled: bool = False) -> Path:
    """40 rows, 20 to validate and 7 to test, as GLUE's own directory has them."""
    task = get_task(name)
    splits = {"train": some_rows(task, 40), "validation": some_rows(task, 20, 40)}
    splits["test"] = some_rows(task, 7, 60)
    write_tsv(folder / task.folder, name, splits)
    if labelled:  # as somebody has them who found the labels
        test = folder / task.folder / f"{task.dev.replace('dev', 'test')}.tsv"
        header, *rows = test.read_text().splitlines()
        lines = [f"{header}\tscore", *(f"{row}\t2.5" for row in rows)]
        test.write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def small_task(small: Recipe, tmp_path: Path) -> Any:
    def give(name: str, **fields: Any) -> Recipe:
        data = str(write_task(tmp_path / "glue", name))
        return replace(small, task=name, data=data, max_steps=6, max_length=48, **fields)

    return give


def three_loops(recipe: Recipe, place: Path) -> dict[str, float]:
    kept = {loop: run(recipe, loop, place / loop, save=loop == "manual") for loop in LOOPS}
    for loop in LOOPS[1:]:
        verdict = diff(place / LOOPS[0], place / loop)
        assert (verdict.verdict, verdict.steps) == ("identical", recipe.max_steps), verdict
        assert kept[loop]["scores"] == kept[LOOPS[0]]["scores"]
    scores: dict[str, float] = kept["manual"]["scores"]
    return scores


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_one_run_and_scored_as_scipy_does(
    name: str, small_task: Any, tmp_path: Path
) -> None:
    task = get_task(name)
    recipe = small_task(name)
    scores = three_loops(recipe, tmp_path)
    raw = load_raw(task, recipe.data)["validation"]
    given = SavedModel(tmp_path / "manual").predict(*(raw[column][:] for column in task.text))
    predictions = [p.label if p.value is None else np.float32(p.value) for p in given]
    expected = {metric: SCORES[metric](raw["label"][:], predictions) for metric in task.metrics}
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_regression_in_bf16_is_one_run(small_task: Any, tmp_path: Path) -> None:
    three_loops(small_task("stsb", mixed_precision="bf16"), tmp_path)


@pytest.mark.parametrize("labelled", [False, True])
def test_stsb_predicts_and_is_submitted(
    labelled: bool, small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A test split with labels or none: GLUE's has none."""
    data = str(write_task(tmp_path / "glue", "stsb", labelled=labelled))
    recipe = replace(small, task="stsb", data=data, max_steps=2, max_length=48)
    run(recipe, "manual", tmp_path / "run", save=True)
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), "a man sleeps", "a man rests"]) == 0
    value, word = capsys.readouterr().out.split()
    assert word == "similarity"
    model = SavedModel(tmp_path / "run")
    (prediction,) = model.predict(["a man sleeps"], ["a man rests"])
    assert prediction.value == pytest.approx(float(value), abs=1e-4)
    assert main(["predict", str(tmp_path / "run"), "--submission", str(tmp_path / "out")]) == 0
    header, *rows = (tmp_path / "out" / "STS-B.tsv").read_text().splitlines()
    test = load_raw(get_task("stsb"), data)["test"]
    assert test["label"][:] == [2.5 if labelled else -1.0] * 7
    expected = model.predict(test["sentence1"][:], test["sentence2"][:])
    assert header == "index\tprediction"
    assert rows == [f"{n}\t{p.value:.6f}" for n, p in enumerate(expected)]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("good", "'good' is no finite number"),
        ("", "missing"),
        ("-1", "unlabelled"),
        ("inf", "'inf'"),
    ],
)
def test_a_score_that_is_none(
    value: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path, "stsb")
    path = tmp_path / "STS-B" / "dev.tsv"
    lines = path.read_text().splitlines()
    lines[2] = "\t".join([*lines[2].split("\t")[:-1], value])
    path.write_text("\n".join(lines) + "\n")
    assert main(["data", "--task", "stsb", "--data", str(tmp_path)]) == 2
    says(capsys.readouterr().err, "dev.tsv: row 3: field label", part)
