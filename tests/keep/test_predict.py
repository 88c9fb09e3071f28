"""A saved model, asked by the command line."""

import json
import shutil
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.keep.model_files import ModelFiles
from reference.keep.predictions import SavedModel
from tests.helpers.refusal import refusal, says

PAIR = ("the man sleeps", "the man is asleep")


def test_a_pair_gets_each_labels_probability(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(saved), *PAIR]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {name for _, name in lines} == {"equivalent", "not_equivalent"}
    probabilities = [float(number) for number, _ in lines]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=2e-4)


def test_the_models_own_folder_will_do(saved: Path) -> None:
    within = SavedModel(saved / "model").predict(*([text] for text in PAIR))
    assert within == SavedModel(saved).predict(*([text] for text in PAIR))


def test_a_long_pair_is_cut_and_many_are_asked_in_their_order(saved: Path) -> None:
    model = SavedModel(saved)
    firsts = ["man " * 2000, *[f"the man has {n} dogs" for n in range(70)]]
    each = [model.predict([a], [PAIR[1]])[0].label for a in firsts]
    assert [p.label for p in model.predict(firsts, [PAIR[1]] * len(firsts))] == each


def test_a_test_split_is_written_as_glue_has_it(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(saved), "--submission", str(tmp_path), "--data", "embedded"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'MRPC.tsv'}: 1725 predictions\n"
    header, *rows = (tmp_path / "MRPC.tsv").read_text().splitlines()
    assert header == "index\tprediction"
    assert [row.split("\t")[0] for row in rows] == [str(n) for n in range(1725)]
    assert {row.split("\t")[1] for row in rows} <= {"0", "1"}
    assert main(["predict", str(saved), "--submission", str(tmp_path), "--data", "embedded"]) == 2
    says(capsys.readouterr().err, "MRPC.tsv: is there already")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ("0 texts", "give TEXT")),
        (["a", "b", "c"], ("3 texts",)),
        (["a"], ("1 text,", "mrpc takes 2")),
        (["a", " "], ("empty text",)),
        (["a", "b", "--data", "hub"], ("--data", "--submission")),
        (["a", "--submission", "x"], ("--submission", "TEXT")),
        (["--submission", "x"], ("no test split",)),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_one_line(
    words: list[str], parts: tuple[str, ...], saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(saved), *words]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    says(line, *parts)


def test_what_is_no_saved_model_is_refused(saved: Path, tmp_path: Path) -> None:
    says(refusal(lambda: ModelFiles(tmp_path / "none")), "no such folder")
    says(refusal(lambda: ModelFiles(tmp_path)), "config.json", "missing")
    copy = tmp_path / "copy"
    shutil.copytree(saved / "model", copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "id2label": {"0": "one", "2": "two"}}))
    says(refusal(lambda: ModelFiles(copy)), "config.json", "id2label")
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "recipe.json").unlink()
    ModelFiles(copy).check_texts(1)  # a model of which nobody knows how many it takes
    says(refusal(lambda: ModelFiles(copy).recipe()), "recipe.json")


def test_a_checkpoint_that_was_never_trained_is_refused() -> None:
    from reference.lesson.embedded import checkpoint_folder

    says(refusal(lambda: ModelFiles(checkpoint_folder())), "config.json", "id2label")
