"""The stored seeds are whole, say where they come from, and hold the README's figures."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from reference.lesson.data.pipeline import load_data
from reference.lesson.recipe_sources import load_recipe
from reference.run.header import header
from reference.run.prepare import prepare
from reference.seeds.judge import judged
from reference.seeds.seed_scores import SEEDS_VERSION, SeedScores
from reference.seeds.stored_ranges import RANGES, find_range, stored
from tests.conftest import ROOT
from tests.helpers.seed_folders import recipe

FILES = sorted(RANGES.glob("*.json"))


def of_file(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def test_there_are_thirty_seeds_of_the_embedded_recipe() -> None:
    seeds = [each["seed"] for each in of_file(RANGES / "embedded.json")["seeds"]]
    assert seeds == [*range(42, 72)]
    assert len(stored()) == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_what_its_seeds_come_to_and_where_they_are_from(path: Path) -> None:
    """Made again out of its seeds, it is the same file."""
    read = of_file(path)
    assert read["version"] == SEEDS_VERSION
    provenance = {name: read[name] for name in ("processor", "commit", "date")}
    assert all(provenance.values())
    made = ("version", *provenance, "confidence", "coverage", "statistics", "seeds")
    shared = {name: value for name, value in read.items() if name not in made}
    metrics = {each["seed"]: each for each in read["seeds"]}
    again = json.loads(json.dumps(SeedScores("it", shared, provenance, metrics).to_json()))
    for score, numbers in again["statistics"].items():
        for name, value in numbers.items():  # SciPy's quantiles may move in their last digits
            assert read["statistics"][score][name] == pytest.approx(value, rel=1e-12)
    assert {**again, "statistics": 0} == {**read, "statistics": 0}
    for part in ("loop", "recipe", "data", "checkpoint", "versions", "device", "platform"):
        assert shared[part], part
    assert len({each["weights"] for each in read["seeds"]}) == len(read["seeds"])
    assert "seed" not in read["recipe"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_no_folder(path: Path) -> None:
    assert not re.search(r'"[^"]*(/|\\)[^"]*"', path.read_text())


def test_the_embedded_recipe_of_today_is_the_stored_one() -> None:
    """The data's and the checkpoint's hashes are those of a run."""
    mine = prepare(recipe(seed=7))
    of_run = header(mine, "manual", load_data(mine))
    found = find_range(of_run)
    assert found is not None
    assert len(found["seeds"]) == 30
    for one in found["seeds"]:
        assert str(judged(of_run, one["scores"])).startswith("scores: ")
    assert str(judged(of_run, {"accuracy": 0.99, "f1": 0.99})).startswith("unusual scores: ")
    assert str(judged(of_run, {"accuracy": 0.684, "f1": 0.812})).startswith("unusual scores: ")
    other = prepare(recipe(seed=7, max_steps=100))
    assert find_range(header(other, "manual", load_data(other))) is None


def test_accuracies_are_not_normal_so_that_the_range_is_their_interval() -> None:
    """docs/seeds.md has these numbers."""
    read = of_file(RANGES / "embedded.json")
    values = [each["scores"]["accuracy"] for each in read["seeds"]]
    assert f"{stats.shapiro(values).pvalue:.0e}" == "6e-07"
    one = read["statistics"]["accuracy"]
    scale = one["standard_deviation"] * (1 + 1 / one["n"]) ** 0.5
    low, high = stats.t.interval(0.99, one["n"] - 1, loc=one["mean"], scale=scale)
    assert (f"{low:.3f}", f"{high:.3f}") == ("0.811", "0.983")
    assert sum(value < low for value in values) == 2
    assert high - one["highest"] > 0.05


def test_the_readme_s_figures_lie_in_the_stored_range() -> None:
    page = (ROOT / "README.md").read_text()
    rows = re.findall(
        r"^(?:trainer|manual|accelerated) +1377 +[\d.]+ +([\d.]+) +([\d.]+)", page, re.M
    )
    assert len(rows) == 3
    read = of_file(RANGES / "embedded.json")
    for accuracy, f1 in rows:
        line = judged(read, {"accuracy": float(accuracy), "f1": float(f1)})
        assert line is not None
        assert line[: line.index("f1 ") + 3] in page


def test_the_page_has_the_stored_numbers() -> None:
    page = (ROOT / "docs" / "seeds.md").read_text()
    for path in FILES:
        read = of_file(path)
        cells = [f"{len(read['seeds'])}"]
        for score in ("accuracy", "f1"):
            one = read["statistics"][score]
            cells.append(f"{one['mean']:.4f} ({one['lowest']:.4f} to {one['highest']:.4f})")
        assert f"| {' | '.join(cells)} |" in page, path


def test_the_course_s_recipe_is_not_judged_by_another_one_s() -> None:
    of_hub = load_recipe("course", {"device": "cpu"})
    head = {"recipe": of_hub.to_json(), "data": {"sha256": "x"}, "checkpoint": {"sha256": "y"}}
    assert find_range(head) is None
