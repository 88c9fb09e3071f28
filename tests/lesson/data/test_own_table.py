"""A table of one's own, in every format: read, split, trained and scored; or refused."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from sklearn.metrics import accuracy_score, f1_score

from reference.diff.ledgers import diff
from reference.keep.model_files import ModelFiles
from reference.keep.predictions import SavedModel
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.data.own_table import task_of
from reference.lesson.data.pipeline import load_data
from reference.lesson.data.sources import load_raw
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.run.inputs import check_inputs
from reference.run.one_run import run
from reference.run.table import data_lines
from tests.helpers.refusal import refusal, says

Rows = dict[str, list[Any]]
STARS = ("awful", "bad", "fair", "good", "great")


def table(count: int, start: int = 0, names: tuple[str, ...] = STARS) -> Rows:
    """Reviews with five kinds of stars, and a column that nobody asked for."""
    numbers = range(start, start + count)
    return {
        "id": list(numbers),
        "review": [f'film {i}, "quoted"\tit is {names[i % len(names)]}' for i in numbers],
        "stars": [names[i % len(names)] for i in numbers],
    }


def dataset(rows: Rows, names: tuple[str, ...] = ()) -> Dataset:
    if not names:
        return Dataset.from_dict(rows)
    label = ClassLabel(names=list(names))
    features = Features({"id": Value("int32"), "review": Value("string"), "stars": label})
    return Dataset.from_dict(rows, features)


def write_csv(path: Path, rows: Rows, delimiter: str = ",") -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))


def write_jsonl(path: Path, rows: Rows) -> None:
    lines = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_parquet(path: Path, rows: Rows) -> None:
    dataset(rows).to_parquet(str(path))


WRITE: dict[str, Callable[[Path, Rows], None]] = {
    "csv": write_csv,
    "tsv": lambda path, rows: write_csv(path, rows, "\t"),
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def two_files(place: Path, kind: str, validation: str = "validation") -> Path:
    place.mkdir()
    WRITE[kind](place / f"train.{kind}", table(60))
    WRITE[kind](place / f"{validation}.{kind}", table(15, 100))
    return place


def saved(place: Path) -> Path:
    DatasetDict(train=dataset(table(60)), validation=dataset(table(15, 100))).save_to_disk(place)
    return place


def classes_in_parquet(place: Path) -> Path:
    """Names of classes by the schema, in an order of their own; a train file in parts."""
    place.mkdir()
    rows = table(60)
    whole = dataset({**rows, "stars": [STARS.index(word) for word in rows["stars"]]}, STARS)
    for part in range(2):
        file = place / f"train-{part:05d}-of-00002.parquet"
        whole.shard(2, part, contiguous=True).to_parquet(str(file))
    write_parquet(place / "dev.parquet", {**table(15, 100), "stars": [0, 1, 2, 3, 4] * 3})
    return place


SHAPES: dict[str, Callable[[Path], Path]] = {
    "two CSV": lambda place: two_files(place, "csv"),
    "two TSV, dev": lambda place: two_files(place, "tsv", "dev"),
    "two JSONL, valid": lambda place: two_files(place, "jsonl", "valid"),
    "two parquet": lambda place: two_files(place, "parquet", "Val"),
    "saved dataset": saved,
    "parquet with classes, in parts": classes_in_parquet,
}
SINGLE: dict[str, Callable[[Path], Path]] = {
    **{kind: (lambda place, kind=kind: one_file(place, kind)) for kind in WRITE},
    "a folder with one file": lambda place: one_file(place, "csv").parent,
    "a saved dataset of one split": lambda place: one_saved(place),
}


def one_file(place: Path, kind: str) -> Path:
    place.mkdir()
    WRITE[kind](place / f"reviews.{kind}", table(75))
    return place / f"reviews.{kind}"


def one_saved(place: Path) -> Path:
    dataset(table(75)).save_to_disk(place)
    return place


def own(data: Path, **fields: Any) -> Recipe:
    columns = {"data": str(data), "text": "review", "label": "stars", "device": "cpu"}
    return load_recipe("embedded", columns | {"max_length": 32, **fields})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_rows(shape: str, tmp_path: Path) -> None:
    recipe = own(SHAPES[shape](tmp_path / "own"))
    check_inputs(recipe)
    task = task_of(recipe)
    raw = load_raw(task, recipe.data)
    for split, rows in (("train", table(60)), ("validation", table(15, 100))):
        assert raw[split]["review"][:] == rows["review"]
        names = raw[split].features["label"].names
        assert [names[number] for number in raw[split]["label"]] == rows["stars"]
        in_order = STARS if "classes" in shape else sorted(STARS)
        assert names == list(in_order) == list(task.labels)
    assert load_data(recipe).split_rule == ""
    assert data_lines(recipe) == []


@pytest.mark.parametrize("shape", SINGLE)
def test_a_single_one_is_split_by_a_rule_that_is_said(shape: str, tmp_path: Path) -> None:
    """A tenth of each class, the same for every seed, and nothing is lost."""
    recipe = own(SINGLE[shape](tmp_path / "own"))
    check_inputs(recipe)
    data = load_data(recipe)
    assert data.split_rule.startswith("no validation split: 1 row in 10 of each class is taken")
    assert "(10 of 75), drawn with seed 42" in data.split_rule
    assert data_lines(recipe) == [f"data: {data.split_rule}"]
    raw = load_raw(task_of(recipe), recipe.data)
    assert Counter(raw["validation"]["label"]) == dict.fromkeys(range(5), 2)
    kept = [text for split in ("train", "validation") for text in raw[split]["review"]]
    assert sorted(kept) == sorted(table(75)["review"])
    other = load_raw(task_of(own(Path(recipe.data), seed=7)), recipe.data)
    assert other["validation"]["review"][:] == raw["validation"]["review"][:]


def test_all_formats_of_one_table_have_one_digest(tmp_path: Path) -> None:
    shapes = [shape for shape in SHAPES if "classes" not in shape]
    digests = {load_data(own(SHAPES[s](tmp_path / str(i)))).digest for i, s in enumerate(shapes)}
    assert len(digests) == 1


def test_three_loops_train_and_score_five_classes(tmp_path: Path) -> None:
    """Identical, learnt, scored as scikit-learn scores what the saved model predicts."""
    recipe = own(one_file(tmp_path / "own", "csv"), num_train_epochs=12, learning_rate=2e-3)
    kept = {loop: run(recipe, loop, tmp_path / loop, save=loop == "manual") for loop in LOOPS}
    for loop in LOOPS[1:]:
        assert diff(tmp_path / LOOPS[0], tmp_path / loop).verdict == "identical"
    header = read_ledger(tmp_path / "manual" / LEDGER_FILE).header
    assert header["data"]["split"].startswith("no validation split: 1 row in 10")
    assert {name: header["recipe"][name] for name in ("task", "text", "label")} == {
        "task": "classification",
        "text": "review",
        "label": "stars",
    }
    model = SavedModel(tmp_path / "manual")
    assert model.labels == sorted(STARS)
    raw = load_raw(task_of(recipe), recipe.data)["validation"]
    predictions = [p.label for p in model.predict(raw["review"][:])]
    expected = {
        "accuracy": accuracy_score(raw["label"], predictions),
        "f1": f1_score(raw["label"], predictions, average="macro", zero_division=0.0),
    }
    assert kept["manual"]["scores"] == pytest.approx(expected, abs=1e-12)
    card = (tmp_path / "manual" / "model" / "README.md").read_text()
    says(card, "columns `review`, `stars`", "1 row in 10 of each class", "awful or bad or fair")


def test_pairs_and_two_classes(tmp_path: Path) -> None:
    """Whole numbers are classes by their value; F1 is that of the second one."""
    numbers = range(40)
    rows = {"a": [f"x {i}" for i in numbers], "b": [f"y {i}" for i in numbers]}
    write_jsonl(tmp_path / "pairs.jsonl", {**rows, "same": [10 if i % 2 else 9 for i in numbers]})
    recipe = own(tmp_path / "pairs.jsonl", text="a", text_pair="b", label="same", max_steps=2)
    assert task_of(recipe).labels == ("9", "10")
    scores = run(recipe, "manual", tmp_path / "run", save=True)["scores"]
    assert scores.keys() == {"accuracy", "f1"}
    line = refusal(lambda: ModelFiles(tmp_path / "run").check_texts(1))
    says(line, "classification takes 2 (a, b)")


def test_a_regression_on_ones_own_table(tmp_path: Path) -> None:
    rows = table(60) | {"stars": [0.5 * (i % 5) for i in range(60)]}
    write_csv(tmp_path / "own.csv", rows)
    recipe = own(tmp_path / "own.csv", task="regression", max_steps=5)
    kept = {loop: run(recipe, loop, tmp_path / loop, save=loop == "manual") for loop in LOOPS}
    for loop in LOOPS[1:]:
        assert diff(tmp_path / LOOPS[0], tmp_path / loop).verdict == "identical"
    assert kept["manual"]["scores"].keys() == {"pearson", "spearmanr"}
    model = SavedModel(tmp_path / "manual")
    (prediction,) = model.predict(["film 3 is good"])
    assert (prediction.value is not None, model.labels) == (True, ["value"])


def test_a_test_split_is_left_alone(tmp_path: Path) -> None:
    place = two_files(tmp_path / "own", "csv")
    (place / "test.csv").write_text("nothing,of,use\n")
    assert set(load_raw(task_of(own(place)), str(place))) == {"train", "validation"}


def test_a_table_that_was_touched_is_read_again(tmp_path: Path) -> None:
    path = one_file(tmp_path / "own", "csv")
    assert len(task_of(own(path)).labels) == 5
    write_csv(path, table(76, names=(*STARS, "unseen", "other")))
    assert len(task_of(own(path)).labels) == 7


def with_rows(**columns: Any) -> Callable[[Path], Path]:
    """A single CSV of these columns in place of the good ones'."""

    def write(place: Path) -> Path:
        place.mkdir()
        write_csv(place / "own.csv", table(40) | columns)
        return place / "own.csv"

    return write


def in_validation(**columns: Any) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        two_files(place, "csv")
        write_csv(place / "validation.csv", table(15, 100) | columns)
        return place

    return write


REVIEWS = table(40)["review"]
BAD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], list[str]]] = {
    "another column": (
        with_rows(),
        {"text": "reviews"},
        ["own.csv: no field 'reviews'", "mean rev"],
    ),
    "another label": (with_rows(), {"label": "star"}, ["no field 'star'", "did you mean stars?"]),
    "no such pair": (
        with_rows(),
        {"text_pair": "reply"},
        ["no field 'reply'", "id, review, stars"],
    ),
    "a column twice": (with_rows(), {"text_pair": "review"}, ["'review' twice"]),
    "floats": (with_rows(stars=[i / 2 for i in range(40)]), {}, ["row 2", "0.0", "--task regr"]),
    "words for numbers": (
        with_rows(),
        {"task": "regression"},
        ["row 2", "'awful'", "--task class"],
    ),
    "not a number": (with_rows(stars=["nan"] * 40), {"task": "regression"}, ["'nan' is no finite"]),
    "one class": (with_rows(stars=["good"] * 40), {}, ["own.csv", "'good' in every row", "two"]),
    "a single row of one": (
        with_rows(stars=["rare", *["good", "bad"] * 19, "good"]),
        {},
        ["row 2: the only row of class 'rare'"],
    ),
    "no label": (with_rows(stars=["good", "", *["bad"] * 38]), {}, ["own.csv: row 3", "missing"]),
    "an empty text": (
        with_rows(review=[*REVIEWS[:4], " ", *REVIEWS[5:]]),
        {},
        ["own.csv: row 6: field review: an empty text", "mend or remove"],
    ),
    "a class that isn't validated": (
        in_validation(stars=["good", "bad", "fair"] * 5),
        {},
        ["validation.csv: field stars: no row of class 'awful' in the validation split"],
    ),
    "a class that isn't trained on": (
        in_validation(stars=["good", "bad", "unseen"] * 5),
        {},
        ["validation.csv: row 4: field stars: 'unseen' is no class of the training split"],
    ),
    "no file": (lambda place: place / "nix.csv", {}, ["nix.csv: no such file or folder"]),
    "another kind": (lambda place: touch(place / "own.xlsx"), {}, ["own.xlsx", ".jsonl, .parquet"]),
    "no training split": (
        lambda place: touch(touch(place / "a.csv").parent / "b.csv").parent,
        {},
        ["no training split", "a, b"],
    ),
    "two of one": (
        lambda place: touch(two_files(place, "csv") / "dev.csv").parent,
        {},
        ["dev and validation for one validation split"],
    ),
    "two kinds of one": (
        lambda place: touch(two_files(place, "csv") / "train.tsv").parent,
        {},
        ["train.csv and train.tsv for one split"],
    ),
    "GLUE's data": (lambda place: Path("embedded"), {}, ["embedded has GLUE's tasks"]),
    "a saved dataset's column": (
        saved,
        {"label": "star"},
        ["train: no field 'star'", "mean stars?"],
    ),
}


def touch(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_the_slow_imports(name: str, tmp_path: Path) -> None:
    make, fields, parts = BAD[name]
    data = make(tmp_path / "own")
    says(refusal(lambda: check_inputs(own(data, **fields))), *parts)


def test_lines_that_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    for line, part in (("{", "row 2: not JSON"), ("[1]", "row 2: no JSON object")):
        path.write_text('{"review": "x", "stars": "y"}\n' + line + "\n")
        says(refusal(lambda: check_inputs(own(path))), part)
    path.write_text('{"review": "x", "stars": "y"}\n{"stars": "z"}\n')
    says(refusal(lambda: check_inputs(own(path))), "own.jsonl: row 2: field review: an empty text")


def test_fields_that_contradict_each_other() -> None:
    says(
        refusal(lambda: Recipe(text="review")), "text: is for a table of your own", "mrpc is GLUE's"
    )
    says(refusal(lambda: Recipe(task="classification")), "give its columns, --text and --label")
    says(refusal(lambda: Recipe(task="regression", text="a")), "--text and --label")
    assert load_recipe("embedded", {"text": "a", "label": "b"}).task == "classification"
    assert load_recipe("embedded", {"text": "a", "label": "b", "task": "regression"}).is_regression
