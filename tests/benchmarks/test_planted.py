"""Plants as large as they are said to be, in the loop that they are planted in; gates counted."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import planted, planted_slowdowns
from benchmarks.timing import recipes
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS

SHARE = 2.0  # forty times what the gate must see, so that few steps on a busy machine tell it


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loop", "plant"),
    [
        ("manual", "item"),
        ("accelerated", "collator"),
        ("trainer", "copy"),
    ],
)
def test_a_plant_is_as_large_as_it_is_said_to_be(loop: str, plant: str) -> None:
    recipe = recipes.make_recipe("embedded", 12)
    data = recipes.short_evaluation(load_data(recipe))

    def seconds() -> float:
        return planted_slowdowns.step_seconds(loop, recipe, data)

    module = importlib.import_module(f"reference.lesson.loops.{loop}")
    own = module.train, module.load_model
    before = seconds()
    with planted_slowdowns.planted(loop, plant, SHARE) as size:
        during = seconds()
    assert size["share"] == pytest.approx(SHARE, rel=0.1)
    assert 2 < during / before < 5
    assert (module.train, module.load_model) == own


def gates(monkeypatch: pytest.MonkeyPatch, verdict: Callable[[str, str], list[str]]) -> None:
    """Gates that measure nothing: what each found past its bound, by plant and loop."""

    def fresh(plant: str, loop: str, _share: float, *, alone: bool) -> dict[str, Any]:
        past = verdict(plant, loop)
        said = {"past": past, "verdict": "made up", "rc": int(bool(past))}
        return {"loop": loop, "plant": plant, **said}

    monkeypatch.setattr(planted, "_fresh", fresh)


def test_a_gate_that_blames_another_loop_has_seen_nothing_by_its_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blamed(plant: str, loop: str) -> list[str]:
        if plant == "copy":
            return [] if loop == "manual" else [f"{loop}-bytes"]
        return [f"embedded-{'trainer' if plant == 'item' else loop}-loop"]

    gates(monkeypatch, blamed)
    out = tmp_path / "seen.json"
    assert planted.main(["--runs", "9", "--out", str(out)]) == 1  # one failed to fail
    found = json.loads(out.read_text())
    assert {(r["plant"], r["loop"]) for r in found["results"]} == {
        (plant, loop) for plant in planted_slowdowns.PLANTS for loop in LOOPS
    }
    assert found["as_wanted"] == 8
    assert found["as_wanted_by_ratio"] == 3 + 1  # the collator's, and the item's in the trainer
    assert capsys.readouterr().out.endswith("8 of 9 gates failed, as they should\n")


def test_gates_with_nothing_planted_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gates(monkeypatch, lambda _plant, _loop: [])
    out = tmp_path / "none.json"
    words = ["--runs", "4", "--plant", "none", "--at-once", "2", "--out", str(out)]
    assert planted.main(words) == 0
    assert json.loads(out.read_text())["as_wanted"] == 4


def test_a_gate_that_broke_counts_as_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broke(_plant: str, _loop: str) -> list[str]:
        raise TrainingFailed("the gate broke with exit code 3: planted")

    gates(monkeypatch, broke)
    assert planted.main(["--runs", "2", "--out", str(tmp_path / "out.json")]) == 3
    assert "the gate broke" in capsys.readouterr().err
