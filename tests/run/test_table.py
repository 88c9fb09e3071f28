"""The table of a comparison, on wide and on narrow terminals."""

import pytest

from reference.lesson.loops import LOOPS
from reference.lesson.recipe_sources import load_recipe
from reference.run.table import comparison, data_lines


def metrics(loop: str) -> dict[str, object]:
    scores = {"accuracy": 0.9019607, "f1": 0.9273}
    numbers = {"steps": 1377, "final_loss": 0.117935, "seconds": 31.5, "scores": scores}
    return {"loop": loop, "weights": "dbd846931a40ffff", **numbers}


ALL = [metrics(loop) for loop in LOOPS]


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("columns", [None, "80"])
def test_a_row_a_loop(columns: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    table = comparison(ALL).splitlines()
    assert [line.split()[0] for line in table] == ["loop", "-----------", *LOOPS]


@pytest.mark.parametrize("columns", ["60", "79"])
def test_a_column_a_loop_where_rows_are_too_wide(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = comparison(ALL)
    assert widest(table) <= 60
    rows = [line.split("  ")[0] for line in table.splitlines()]
    assert rows[2:] == ["steps", "final loss", "accuracy", "f1", "seconds", "steps/s", "weights"]
    assert table.splitlines()[0].split() == ["loop", *LOOPS]
    assert table.count("0.9020") == table.count("dbd846931a40") == 3


def test_the_synthetic_corpus_is_called_so_beside_its_scores() -> None:
    assert data_lines(load_recipe("embedded", {})) == [
        "data: the embedded corpus, which is synthetic"
    ]
