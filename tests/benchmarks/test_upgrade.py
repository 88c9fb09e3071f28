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
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.progress import Counted
from benchmarks.upgrading import two_environments
from benchmarks.upgrading.environments import Environment
from benchmarks.upgrading.time_one_process import BARE
from benchmarks.upgrading.two_environments import Speed, Timing
from reference.diff.verdict import Verdict
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
    found = upgrade.compare(OLD, new, tmp_path, max_steps=3, timing=Timing(2, 2, 40))
    assert found.verdict == "same run, not slower"
    assert [row[0] for row in found.rows] == [BARE, *LOOPS]
    assert [row[-1] for row in found.rows] == ["", *3 * ["identical, 3 steps"]]
    assert "new environment: identical: 3 loops, 3 steps, every link of every step" in found.lines
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("1/14 old environment: training trainer")
    assert lines[-1].startswith("14/14 old environment: timing, round 2, about")


@pytest.mark.slow
def test_a_slower_loop_is_named(tmp_path: Path) -> None:
    new = planted(tmp_path, "slow")
    timed = two_environments.speeds(
        two_environments.time_all([OLD, new], tmp_path, Timing(2, 2, 40), Counted(8))
    )
    found = upgrade.Findings()
    upgrade.judge_speeds(found, {}, timed)
    assert [said.split(":")[0] for said in found.wrong] == ["manual is slower"]
    assert found.verdict.startswith("failed: manual is slower: 1.")


@pytest.mark.slow
def test_a_loop_that_does_something_else_is_named_with_step_and_link(tmp_path: Path) -> None:
    new = planted(tmp_path, "changed")
    runs = two_environments.train_all(
        [OLD, new], tmp_path, 2, Counted(4), loops=("trainer", "manual")
    )
    found = upgrade.Findings()
    assert not upgrade.judge_runs(found, runs)  # so nothing is timed
    upgrade.judge_speeds(found, two_environments.across(runs), {})
    assert [row[-1] for row in found.rows] == ["identical, 2 steps", "parts at step 1, link clip"]
    assert found.wrong == [
        "new environment: trainer and manual part",
        "manual isn't the same run: parts at step 1, link clip",
    ]
    assert "old environment: identical: 2 loops, 2 steps, every link of every step" in found.lines


def test_a_torch_upgrade_is_timed_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed and nothing timed: what would be timed, and by what."""
    asked: list[Timing] = []

    def compare(*_: Any, timing: Timing | None = None) -> upgrade.Findings:
        asked.append(_[-1])
        return upgrade.Findings()

    old = Environment("old", Path(sys.executable)).packages()
    monkeypatch.setattr(upgrade, "compare", compare)
    for name, by in (("torch", "numpy"), ("transformers", "torch")):
        new = {**old, name: "99.0"}
        monkeypatch.setattr(
            Environment, "packages", lambda self, new=new: new if self.name == "new" else old
        )
        monkeypatch.setattr(upgrade, "second_environment", lambda *_: Environment("new", Path()))
        found = upgrade.upgrade([f"{name}==99.0"], 5, Timing(4, 8, 40))
        assert found.lines[0] == f"upgraded: {name} {old[name]} -> 99.0"
        assert asked[-1].yardstick == by


LINK = Verdict("incomparable", 4, 5, "forward", "bits may differ with nothing wrong")
SPEED = Speed(1.1, 1.1, Ratio(1.0, 0.99, 1.01, 8, 64), Ratio(1.0, 0.99, 1.01, 4, 32))


def test_whose_the_difference_is_and_what_cant_be_told() -> None:
    found = upgrade.Findings()
    timed = dict.fromkeys(LOOPS, SPEED)
    upgrade.judge_speeds(found, dict.fromkeys(LOOPS, LINK), timed)
    assert found.wrong[0] == f"{LOOPS[0]} isn't the same run: parts at step 5, link forward"
    assert any("what they share computes otherwise" in line for line in found.lines)

    found = upgrade.Findings()
    upgrade.judge_speeds(
        found, {**dict.fromkeys(LOOPS, Verdict("identical", 9)), "manual": LINK}, timed
    )
    assert found.wrong == ["manual isn't the same run: parts at step 5, link forward"]
    assert not any("what they share" in line for line in found.lines)

    found = upgrade.Findings()
    cut = Verdict("incomparable", 4, detail="equal for 4 steps; a run was cut short")
    upgrade.judge_speeds(found, {"manual": cut}, {})
    assert found.wrong == ["manual: whether it is the same run can't be told"]
    assert found.rows[0][-1] == "can't be told"
    assert "incomparable: old and new: equal for 4 steps; a run was cut short" in found.lines[0]


@pytest.mark.parametrize(
    ("low", "noise", "slower", "said"),
    [
        (1.009, 1.001, False, ""),  # within the margin
        (1.011, 1.001, True, ""),
        (1.011, 1.012, False, "manual: not told from noise: 1.0310 [1.0110, 1.0510], margin 1%"),
    ],
)
def test_a_slowdown_lies_past_the_margin_and_past_the_noise(
    low: float, noise: float, slower: bool, said: str
) -> None:
    change, again = Ratio(low + 0.02, low, low + 0.04, 8, 64), Ratio(1.0, 0.99, noise, 4, 32)
    found = upgrade.Findings()
    upgrade.judge_speeds(found, {}, {"manual": Speed(1.1, 1.1, change, again)})
    assert bool(found.wrong) == slower
    assert found.untold == (["manual"] if said else [])
    assert ("isn't told from noise" in found.verdict) == bool(said)
    assert any(line.startswith(said) for line in found.lines if "A/A: old" not in line) == bool(
        said
    )


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
