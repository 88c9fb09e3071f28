"""Two environments in turn, with made-up times: drift falls out, a slowdown stays."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.timing.progress import ProcessCounter
from benchmarks.upgrading import judge, two_environments
from benchmarks.upgrading.environments import Environment
from benchmarks.upgrading.time_one_process import BARE, YARDSTICK
from benchmarks.upgrading.two_environments import Timing
from reference.errors import TrainingFailed


def made_up(
    seed: int, drift: float, slow: dict[str, float], noise: float = 0.03
) -> two_environments.Times:
    """A process's times with noise, all of them moved by `drift`."""
    rng = np.random.default_rng(seed)
    by_name = {YARDSTICK: 0.009, BARE: 0.010, "trainer": 0.013, "manual": 0.012}
    return {
        name: (drift * slow.get(name, 1.0) * one * rng.normal(1, noise, (2, 40))).tolist()
        for name, one in by_name.items()
    }


@pytest.mark.parametrize(
    ("slow", "wrong"),
    [
        ({}, []),
        ({"manual": 1.005}, []),  # within the margin
        ({"manual": 1.05}, ["manual"]),
        ({"manual": 0.9}, []),
        (dict.fromkeys((BARE, "trainer", "manual"), 1.05), [BARE, "trainer", "manual"]),
        ({BARE: 0.9, "trainer": 0.923, "manual": 0.917}, []),  # each by the same 1 ms
    ],
)
def test_the_machines_drift_falls_out_and_a_slowdown_stays(
    slow: dict[str, float], wrong: list[str]
) -> None:
    drifts = np.linspace(1, 1.25, 16)
    times: dict[str, list[two_environments.Times]] = {"old": [], "new": []}
    for number, drift in enumerate(drifts):
        name = two_environments.ABBA[number % 4]
        times[name].append(made_up(number, drift, slow if name == "new" else {}))
    outcome = judge.UpgradeOutcome()
    judge.judge_speeds(outcome, {}, two_environments.speeds(times))
    assert [said.split(" is slower")[0] for said in outcome.wrong] == wrong


def test_neighbours_are_paired() -> None:
    """The machine drifts, and the yardstick with it only by half: neighbours drift alike."""
    times: dict[str, list[two_environments.Times]] = {"old": [], "new": []}
    for number, drift in enumerate(np.linspace(1, 1.5, 32)):
        process = made_up(number, drift, {YARDSTICK: drift**-0.5})
        times[two_environments.ABBA[number % 4]].append(process)
    for speed in two_environments.speeds(times).values():
        assert speed.change.median == pytest.approx(1, abs=0.01)
        assert speed.change.width < 0.03
        assert speed.noise.median == pytest.approx(1, abs=0.04)  # the later by the earlier one
        assert speed.noise.width < 0.06  # two old ones have two new ones, or none, between them


class MadeUp(Environment):
    """An environment whose processes measure nothing: numbers with more or less noise."""

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        assert words[:2] == ("-m", "benchmarks.upgrading.time_one_process")
        runs.append(words)
        process = made_up(len(runs), 1.0, {}, noise=float(self.variables["noise"]))
        Path(words[2]).write_text(json.dumps(process))
        return subprocess.CompletedProcess(words, 0, "", "")


runs: list[tuple[str, ...]] = []


@pytest.mark.parametrize(("noise", "rounds"), [("0.001", 2), ("0.05", 4)])
def test_a_wide_noise_takes_more_rounds_up_to_a_limit(
    noise: str, rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.clear()
    both = [MadeUp(name, Path(sys.executable), {"noise": noise}) for name in ("old", "new")]
    timing = Timing(2, 4, 40, yardstick="numpy")
    times = two_environments.time_all(both, tmp_path, timing, ProcessCounter(8))
    assert [len(times[name]) for name in ("old", "new")] == [2 * rounds, 2 * rounds]
    assert all(words[-2:] == ("--yardstick", "numpy") for words in runs)
    said = capsys.readouterr().err
    assert said.count("is wider than 1%") == rounds - 2
    assert f"{4 * rounds}/{4 * rounds} old environment: timing, round {rounds}" in said


def test_a_loop_that_doesnt_train_says_whose_and_why(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('planted')\n")
    new = Environment("new", Path(sys.executable), {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(TrainingFailed) as failed:
        two_environments.train_all([new], tmp_path, 2, ProcessCounter(1), loops=("manual",))
    said = "new environment, loop manual: ended with code 1: SystemExit: planted"
    assert str(failed.value) == said
