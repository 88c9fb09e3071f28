"""A run's scores against stored seeds of its recipe: on both sides, and of its recipe alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference.ledger.record import Record
from reference.lesson.recipe import FIELDS
from reference.seeds import stored_ranges
from reference.seeds.folder import read_seeds
from reference.seeds.judge import judged
from tests.helpers.refusal import says
from tests.helpers.seed_folders import header, recipe, write_seeds

SEEDS = {42: 0.90, 43: 0.88, 44: 0.91}


@pytest.fixture
def ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stored seeds of the embedded recipe, and none of any other."""
    folder = tmp_path / "ranges"
    folder.mkdir()
    seeds = read_seeds(write_seeds(tmp_path / "run", SEEDS))
    (folder / "mine.json").write_text(json.dumps(seeds.to_json()))
    monkeypatch.setattr(stored_ranges, "RANGES", folder)
    return folder


def of(**fields: Any) -> Record:
    return header(recipe(**fields))


def test_judging_takes_no_slow_import() -> None:
    """`compare` does it at the end of every run."""
    code = "import sys, reference.seeds.judge; print({'scipy', 'torch', 'numpy'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize("accuracy", [0.88, 0.9, 0.91])
def test_scores_within_the_range_are_said_to_be(accuracy: float) -> None:
    line = judged(of(seed=7), {"accuracy": accuracy, "f1": accuracy / 2})
    assert line == (
        f"scores: within the range of 3 stored seeds of this recipe: accuracy {accuracy:.4f} in "
        f"0.8800 to 0.9100, f1 {accuracy / 2:.4f} in 0.4400 to 0.4550 (50 of 100 seeds are)"
    )


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize(
    ("scores", "parts"),
    [
        ({"accuracy": 0.8775, "f1": 0.45}, ("accuracy 0.8775 is below 0.8800 to 0.9100, the",)),
        ({"accuracy": 0.9125, "f1": 0.45}, ("accuracy 0.9125 is above 0.8800 to 0.9100, the",)),
        ({"accuracy": 0.90, "f1": 1.0}, ("f1 1.0000 is above 0.4400 to 0.4550",)),
        ({"accuracy": 1.0, "f1": 0.0}, ("accuracy 1.0000 is above", "f1 0.0000 is below")),
        ({"accuracy": float("nan"), "f1": 0.45}, ("accuracy nan is not in 0.8800",)),
    ],
)
def test_scores_outside_are_unusual_on_either_side(
    scores: dict[str, float], parts: tuple[str, ...]
) -> None:
    line = judged(of(seed=7), scores)
    assert line is not None
    assert line.startswith("unusual scores: ")
    says(line, *parts, "range of 3 stored seeds", "too good is as odd as too bad")


@pytest.mark.usefixtures("ranges")
def test_a_name_a_path_and_a_seed_make_no_other_recipe() -> None:
    scores = {"accuracy": 0.9, "f1": 0.45}
    renamed = of(seed=7, name="mine", data="/elsewhere", checkpoint="/there")
    assert judged(renamed, scores) == judged(of(), scores)
    assert judged(header(recipe(), loop="trainer"), scores) == judged(of(), scores)


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize(
    "field", [name for name in FIELDS if name not in ("name", "seed", "data", "checkpoint")]
)
def test_any_other_field_makes_another_recipe(field: str) -> None:
    other = of()
    value = other["recipe"][field]
    other["recipe"][field] = f"{value}x" if isinstance(value, str | None) else value + 1
    assert judged(other, {"accuracy": 0.9, "f1": 0.45}) is None


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize(
    "instead",
    [
        {"data": {"source": "embedded", "sha256": "other rows"}},
        {"checkpoint": {"name": "embedded", "sha256": "other weights"}},
        {"world_size": 2},
    ],
)
def test_other_rows_weights_or_several_processes_are_not_judged(instead: Record) -> None:
    assert judged(header(recipe(), **instead), {"accuracy": 0.9, "f1": 0.45}) is None


def test_a_field_that_is_newer_than_the_file_had_its_default(ranges: Path) -> None:
    stored = json.loads((ranges / "mine.json").read_text())
    del stored["recipe"]["dropout"]
    (ranges / "mine.json").write_text(json.dumps(stored))
    scores = {"accuracy": 0.9, "f1": 0.45}
    assert judged(of(), scores) is not None
    assert judged(of(dropout=0.2), scores) is None
