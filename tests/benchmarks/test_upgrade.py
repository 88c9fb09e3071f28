"""Two environments side by side: the same run, a slower loop, another run; and what is no upgrade.

Both environments are this one; a fault is planted in the "new" one by a `sitecustomize` that its
processes import at their start.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import upgrade
from benchmarks.timing.progress import ProcessCounter
from benchmarks.upgrading import judge, two_environments
from benchmarks.upgrading.environments import Environment
from benchmarks.upgrading.time_one_process import BARE
from benchmarks.upgrading.two_environments import Timing
from reference.lesson.loops import LOOPS
from tests.benchmarks.stopped import check_stopped

# Changes the module of a loop right after it was imported.
PLANT = """
import importlib.util, os, sys, time

def change(module):
    if os.environ["PLANTED"] == "slow":
        load_model = module.load_model
        def slower(recipe):
            model = load_model(recipe)
            model.register_forward_pre_hook(lambda *_: time.sleep(0.004))
            return model
        module.load_model = slower
    else:
        module.torch.nn.utils.clip_grad_norm_ = lambda *_: None

class Plant:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "reference.lesson.loops.manual":
            return None
        sys.meta_path.remove(Plant)
        spec = importlib.util.find_spec(name)
        exec_module = spec.loader.exec_module
        def then_change(module):
            exec_module(module)
            change(module)
        spec.loader.exec_module = then_change
        return spec

sys.meta_path.insert(0, Plant)
"""

OLD = Environment("old", Path(sys.executable))


def planted(folder: Path, fault: str) -> Environment:
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(PLANT)
    variables = {"PYTHONPATH": str(folder / "site"), "PLANTED": fault}
    return Environment("new", Path(sys.executable), variables)


@pytest.mark.slow
def test_nothing_changed_is_the_same_run_and_not_slower(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = Environment("new", Path(sys.executable))
    outcome = upgrade.compare(OLD, new, tmp_path, max_steps=3, timing=Timing(2, 2, 40))
    assert outcome.verdict == "same run, not slower"
    assert [row[0] for row in outcome.rows] == [BARE, *LOOPS]
    assert [row[-1] for row in outcome.rows] == ["", *3 * ["identical, 3 steps"]]
    assert "new environment: identical: 3 loops, 3 steps, every link of every step" in outcome.lines
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("1/14 old environment: training trainer")
    assert lines[-1].startswith("14/14 old environment: timing, round 2, about")


@pytest.mark.slow
def test_a_slower_loop_is_named(tmp_path: Path) -> None:
    new = planted(tmp_path, "slow")
    timed = two_environments.speeds(
        two_environments.time_all([OLD, new], tmp_path, Timing(2, 2, 40), ProcessCounter(8))
    )
    outcome = judge.UpgradeOutcome()
    judge.judge_speeds(outcome, {}, timed)
    assert [said.split(":")[0] for said in outcome.wrong] == ["manual is slower"]
    assert outcome.verdict.startswith("failed: manual is slower: 1.")


@pytest.mark.slow
def test_a_loop_that_does_something_else_is_named_with_step_and_link(tmp_path: Path) -> None:
    new = planted(tmp_path, "changed")
    runs = two_environments.train_all(
        [OLD, new], tmp_path, 2, ProcessCounter(4), loops=("trainer", "manual")
    )
    outcome = judge.UpgradeOutcome()
    assert not judge.judge_runs(outcome, runs)  # so nothing is timed
    judge.judge_speeds(outcome, two_environments.across(runs), {})
    assert [row[-1] for row in outcome.rows] == ["identical, 2 steps", "parts at step 1, link clip"]
    assert outcome.wrong == [
        "new environment: trainer and manual part",
        "manual isn't the same run: parts at step 1, link clip",
    ]
    assert "old environment: identical: 2 loops, 2 steps, every link of every step" in outcome.lines


def test_a_torch_upgrade_is_timed_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed and nothing timed: what would be timed, and by what."""
    asked: list[Timing] = []

    def compare(*_: Any, timing: Timing | None = None) -> judge.UpgradeOutcome:
        asked.append(_[-1])
        return judge.UpgradeOutcome()

    old = Environment("old", Path(sys.executable)).packages()
    monkeypatch.setattr(upgrade, "compare", compare)
    for name, by in (("torch", "numpy"), ("transformers", "torch")):
        new = {**old, name: "99.0"}
        monkeypatch.setattr(
            Environment, "packages", lambda self, new=new: new if self.name == "new" else old
        )
        monkeypatch.setattr(upgrade, "second_environment", lambda *_: Environment("new", Path()))
        outcome = upgrade.upgrade([f"{name}==99.0"], 5, Timing(4, 8, 40))
        assert outcome.lines[0] == f"upgraded: {name} {old[name]} -> 99.0"
        assert asked[-1].yardstick == by


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rounds", "1"], "--rounds 1"),
        (["--rounds", "9"], "--most-rounds: 8 is less than --rounds"),
        (["--steps", "41"], "isn't a multiple of 10"),
        (["--max-steps", "0"], "--max-steps 0"),
        ([], "no requirement was given"),
    ],
)
def test_wrong_words_are_one_line(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upgrade.main(options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_what_cant_be_installed_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real environment, and a real pip that is told to look nowhere."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", ""), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{name}", value)
    assert upgrade.main(["transformers==999.0"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: transformers==999.0: pip can't install it: ")
    assert "No matching distribution found" in said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def silent_index() -> Iterator[str]:
    """A package index that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


@pytest.mark.slow
def test_an_interrupted_upgrade_leaves_no_half_environment(
    tmp_path: Path, silent_index: str
) -> None:
    alone = {"TMPDIR": str(tmp_path), "PIP_INDEX_URL": silent_index, "PIP_CONFIG_FILE": os.devnull}
    check_stopped(
        [sys.executable, "-m", "benchmarks.upgrade", "transformers==999.0"],
        lambda: list(tmp_path.glob("upgrade-*/new/venv/lib/*/site-packages/pip-*/RECORD")),
        variables=alone,
    )
    assert list(tmp_path.iterdir()) == []
