"""`python -m reference check`: a run or a script, text or JSON, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.check.report_text import VERSION
from reference.cli.main import main
from tests.conftest import ROOT
from tests.helpers.observing import python, write

LOOP = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 2)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(5):
    x, y = torch.randn(8, 4), torch.randint(0, 2, (8,))
    criterion(model(x), y).backward()
    optimizer.step()
    #ZERO
print("trained")
"""
SOUND = LOOP.replace("#ZERO", "optimizer.zero_grad()")


Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Check:
    """The command in this process: its exit code, and what it and its script wrote.

    Only the script gets a process of its own, as ever: Python takes seconds to start.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["check", *words])
        written = capfd.readouterr()
        return code, written.out, written.err

    return call


def test_a_script_with_a_fault_and_then_its_run(tmp_path: Path, check: Check) -> None:
    write(tmp_path, "mine.py", LOOP)
    whole = python("-m", "reference", "check", "--run-dir", "r", "mine.py", cwd=tmp_path)
    code, out, err = whole.returncode, whole.stdout, whole.stderr
    said = out.splitlines()
    assert code == 1, err
    assert said[:2] == ["trained", "wrong: never-zeroed: gradients are never zeroed"]
    assert said[2].startswith("  in every step after the first, gradients were added to what was")
    assert said[3] == "  do: call optimizer.zero_grad() once for each optimizer.step()"
    assert said[4].startswith("1 wrong in 5 steps; looked at: batch, rng, mode, weights, ")
    assert "run: r" in err
    again = check("r")
    assert (again[0], again[1].splitlines()) == (1, said[1:])
    assert check("r/ledger.jsonl")[:2] == again[:2]


def test_a_sound_script_and_json(tmp_path: Path, check: Check) -> None:
    write(tmp_path, "mine.py", SOUND)
    code, out, err = check("--json", "--run-dir", "r", "mine.py")
    assert code == 0, err
    told = json.loads(out)  # what the script prints is on stderr
    assert "trained" in err
    assert (told["version"], told["steps"], told["findings"]) == (VERSION, 5, [])
    assert told["complete"]
    assert "gradient: whether old ones are left when a step begins" in told["looked_at"]
    code, out, _ = check("r", "--json")  # options after a run are ours
    assert (code, json.loads(out)["run"]) == (0, "r")


def test_the_words_after_a_module_are_its_own_and_its_failure_is_told(
    tmp_path: Path, check: Check
) -> None:
    write(tmp_path, "mine.py", SOUND + "import sys\nprint(sys.argv[1:])\nraise SystemExit(7)\n")
    code, out, err = check("--run-dir", "r", "-m", "mine", "--json", "-x")
    said = out.splitlines()
    assert code == 3, err
    assert said[:2] == ["trained", "['--json', '-x']"]
    assert said[2].startswith("nothing found in 5 steps; looked at: batch, rng, mode, weights, ")
    assert said[-1] == "the run has no whole end: it failed, was stopped, or goes on"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "check: no run; give RUN, SCRIPT [ARGS...] or -m MODULE [ARGS...]"),
        (["nothing.py"], "nothing.py: no such script; give SCRIPT, or -m MODULE"),
        (["gone.jsonl"], "gone.jsonl: no such ledger"),
        (["idle.py"], "idle.py: no optimizer step was seen"),
        (["imports.py"], "imports.py: no optimizer step was seen"),
        (["killed.py"], "check: killed.py was ended by signal 9 before its first step"),
        (["folder", "more"], "check: 'more' after the run folder; leave it out"),
        (["--run-dir", "r", "folder"], "--run-dir: folder is a run already; leave it out"),
        (["folder"], "no such ledger"),
        (["--loud", "folder"], "unknown option of check '--loud'"),
        (["broken.jsonl"], "broken.jsonl: row 1"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], said: str, tmp_path: Path, check: Check) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path, "idle.py", "print(1)")
    write(tmp_path, "imports.py", "import torch\nprint(1)")
    write(tmp_path, "killed.py", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    write(tmp_path, "broken.jsonl", "not a ledger\n")
    code, out, err = check(*words)
    assert code == 2
    assert said in err.splitlines()[-1]
    assert len(err.splitlines()) == 1
    assert out in ("", "1\n")
    if "killed.py" not in words:
        assert [*tmp_path.glob("runs/*")] == []


def test_a_run_that_was_asked_to_end_is_said_to_be_so(tmp_path: Path, check: Check) -> None:
    write(tmp_path, "mine.py", SOUND)
    observed = ("-m", "reference", "observe", "--until", "3", "--run-dir", "r", "mine.py")
    assert python(*observed, cwd=tmp_path).returncode == 0
    code, out, _ = check("r")
    assert (code, out.splitlines()[-1]) == (0, "the run was ended after step 3, as --until asks")
