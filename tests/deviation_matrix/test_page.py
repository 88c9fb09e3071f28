"""The page of the matrix: of every deviation, and the rows of a few put among the others."""

from pathlib import Path

import pytest

from reference.cli.main import main
from reference.deviation_matrix import page as page_module
from reference.deviation_matrix.detectors import Control, Matrix, Row
from reference.deviation_matrix.page import PAGE, page, results_of
from reference.deviation_matrix.page_tables import read_page
from reference.deviations import CATALOGUE
from reference.process.versions import commit
from tests.conftest import ROOT

NEW = "no-clip"


def matrix(*names: str, link: str = "update", torch: str = "2.13.0+cpu") -> Matrix:
    """As if these had been trained."""
    about = {
        "recipe": {"name": "embedded", "train_batch_size": 8, "seed": 42},
        "device": "cpu",
        "num_training_steps": 1377,
        "num_threads": 1,
        "platform": "Linux x86_64",
        "cpu_capability": "AVX512",
        "checkpoint": {"name": "embedded"},
        "seconds": 120,
        "data": {"source": "embedded", "synthetic": True},
        "date": "2026-12-24T10:00:00",
        "versions": {"torch": torch},
    }
    rows = [
        Row(
            name=name,
            value=name,
            setting="as it is",
            verdict="diverged",
            step=7,
            link=link,
            failed=frozenset({"this one", "accuracy"}),
            explained=(name,),
            proven=True,
        )
        for name in names
    ]
    controls = (Control("as it is", "trainer", "identical", frozenset()),)
    return Matrix(tuple(rows), controls, about)


@pytest.fixture(autouse=True)
def _recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the recipe the page says what isn't its default: here nothing."""

    class Fields(dict[str, object]):
        def __missing__(self, key: str) -> object:
            return {"train_batch_size": 8, "seed": 42, "name": "embedded"}[key]

    class Recipe:
        def to_json(self) -> Fields:
            return Fields()

    monkeypatch.setattr(page_module, "RECIPES", {"embedded": Recipe()})


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of three deviations, one of which was not explained."""
    monkeypatch.chdir(tmp_path)
    made = matrix("no-clip", "eps", "eval-mode")
    left = Row(**{**vars(made.rows[1]), "proven": False, "left": "step 9, link | clip"})
    rows = (made.rows[0], left, made.rows[2])
    PAGE.parent.mkdir()
    PAGE.write_text(page(results_of(Matrix(rows, made.controls, made.about))))
    return PAGE


def put_in(monkeypatch: pytest.MonkeyPatch, made: Matrix, *words: str) -> int:
    monkeypatch.setattr(page_module, "make_matrix", lambda *_: made)
    return main(["deviations", "--matrix", *words])


def test_the_page_has_every_deviation_of_the_catalogue() -> None:
    assert list(read_page(ROOT / PAGE).rows) == list(CATALOGUE)


def test_a_page_read_back_is_the_page(written: Path) -> None:
    assert page(read_page(written)) == written.read_text()


def test_the_rows_of_a_few_go_in_and_no_other_is_touched(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_page(written)
    made = matrix("eps", "warm-up", link="optimizer")
    assert put_in(monkeypatch, made, "--only", "eps,warm-up") == 0
    after = read_page(written)
    assert list(after.rows) == ["no-clip", "eps", "warm-up", "eval-mode"]  # the catalogue's order
    assert after.rows["no-clip"] == before.rows["no-clip"]
    assert after.rows["eval-mode"] == before.rows["eval-mode"]
    assert after.rows["eps"][4] == "optimizer"
    assert after.rows["eps"][-1] == f"2026-12-24 {commit()}"
    assert "Not explained" in before.left
    assert not after.left  # of eps alone, which now is
    assert after.minutes == before.minutes + 2
    assert "4 deviations, 4 of them another run" in written.read_text()


def test_rows_of_other_versions_are_refused(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written.read_text()
    assert put_in(monkeypatch, matrix("eps", torch="9.9"), "--only", "eps") == 2
    assert "and these rows '- torch 9.9'; write the page anew" in capsys.readouterr().err
    assert written.read_text() == before


@pytest.mark.parametrize("text", [None, "# Something else\n", "## What was run\n\nnothing\n"])
def test_a_page_that_is_none_takes_no_rows(
    text: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        PAGE.parent.mkdir()
        PAGE.write_text(text)
    assert put_in(monkeypatch, matrix(NEW), "--only", NEW) == 2
    error = capsys.readouterr().err
    assert error.startswith("reference: error: docs/deviations.md: ")
    assert error.count("\n") == 1
