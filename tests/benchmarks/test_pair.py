"""Two in ABBA: the ratio sees a plant, is held against its bound, and wrong input is one line."""

import json
import threading
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from torch.optim.lr_scheduler import LRScheduler

from benchmarks import pair
from benchmarks.timing import recipes, rounds
from benchmarks.timing.measured_steps import AGAIN, BARE

FEW = ["--checkpoint", "embedded", "--steps", "8", "--rounds", "2", "--most-rounds", "2"]
BOUNDS = """
version = 1
[[ratio]]
checkpoint = "embedded"
loop = "manual"
link = "step"
at_most = 2.0
reason = "twice the bare step"
[[exact]]
loop = "bare"
figure = "reads"
at_most = 42
reason = "a bounds file has one"
"""


@pytest.fixture
def bounds(tmp_path: Path) -> Path:
    file = tmp_path / "bounds.toml"
    file.write_text(BOUNDS)
    return file


def test_a_pair_is_measured_and_held(
    bounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pair.json"
    arguments = ["manual", *FEW, "--bounds", str(bounds), "--json", str(file)]
    assert pair.main(arguments) == 0
    noise, said = capsys.readouterr().out.splitlines()
    assert noise.startswith("A/A: bare step / bare step ")
    assert said.startswith("ok   embedded: loop manual, link step: ")
    assert said.endswith("(2 rounds, 8 pairs), bound 2")
    written = json.loads(file.read_text())
    assert set(written["step_ms"]) == {BARE, "manual"}
    assert 0.8 < written["ratios"]["embedded-manual-step"]["median"] < 2


@pytest.mark.slow
def test_a_plant_is_past_its_bound(
    bounds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = LRScheduler.step

    def slow(self: LRScheduler, *args: Any) -> None:
        ends = thread_time() + (0.06 if threading.current_thread().name == "manual" else 0)
        while thread_time() < ends:
            pass
        step(self, *args)

    monkeypatch.setattr(LRScheduler, "step", slow)
    rounds = ["--steps", "4", "--rounds", "4", "--most-rounds", "4"]  # of 2, an interval is wide
    assert pair.main(["manual", *FEW, *rounds, "--bounds", str(bounds)]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith("PAST embedded: loop manual")


def test_just_two_take_turns_and_each_is_first_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    take_turn = rounds.Participant.take_turn

    def noted(self: rounds.Participant) -> None:
        turns.append(self.name)
        take_turn(self)

    monkeypatch.setattr(rounds.Participant, "take_turn", noted)
    recipe = recipes.make_recipe("embedded", 4)
    rounds.measure_pair(recipe, "accelerated", rounds=2, most_rounds=2)
    one, other = [BARE, "accelerated"], [BARE, AGAIN]
    # Five steps of each, and a turn for what comes after the last.
    wanted = []
    for names in (one, other):
        for turn in range(6):
            wanted += names if turn % 2 == 0 else names[::-1]
    assert turns == wanted * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["manul"], "unknown loop 'manul' (did you mean manual?)"),
        (["manual", "--rounds", "1"], "rounds: 1 isn't from 2 to --most-rounds, 12"),
        (["manual", "--checkpoint", "embedded", "--steps", "7"], "steps: 7 isn't a multiple of 2"),
        (["manual", "--bounds", "nowhere.toml"], "nowhere.toml: can't be read as TOML"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pair.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1
