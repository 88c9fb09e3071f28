"""`diff --inside A B`: both runs once more, up to the step at which they part."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE, encode
from reference.lesson.recipe import Recipe
from reference.observe.script import observing
from reference.observe.script.observation import program_record
from reference.rerun import run_again
from reference.rerun.command_of_ledger import command_of
from reference.run.one_run import run
from tests.helpers.folded import unfolded
from tests.helpers.observing import write
from tests.helpers.refusal import refusal, says
from tests.helpers.waiting import has_ended

SCRIPT = """
import os, subprocess, sys, torch
from torch import nn

child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[2], "w").write(str(child.pid))
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(1, 1000):
    if step == 4:
        sys.exit(open("went on", "w").write(sys.argv[1]))
    model[1].p = float(sys.argv[1]) if step == 2 else 0.1
    model(torch.randn(3, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
"""


def train(p: float, steps: int = 3, seed: int = 0) -> None:
    """What the script does in its first steps."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 2))
    optimizer = SGD(model.parameters(), 0.1)
    for step in range(1, steps + 1):
        model[1].p = p if step == 2 else 0.1
        model(torch.randn(3, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def record(folder: Path, script: Path, arguments: list[str], p: float) -> Path:
    """The ledger of a script as `observe` leaves it, made in this process."""
    with observing(folder):
        train(p)
    ledger = folder / LEDGER_FILE
    header, *rest = ledger.read_bytes().splitlines(keepends=True)
    program = program_record(script.name, arguments, script.read_bytes())
    program |= {"cwd": str(script.parent), "module": False}
    first = {**json.loads(header), "program": program}
    # The seal is of the lines as they were: an end that says so is left out.
    ledger.write_bytes(b"".join([encode(first), *rest[:-1]]))
    return ledger


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return write(tmp_path, "train.py", SCRIPT)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In this process and in those that it starts: bits depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


def test_both_are_run_again_and_the_module_is_named(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    children = tmp_path / "child of a", tmp_path / "b"
    a = record(tmp_path / "a", script, ["0.1", str(children[0])], 0.1)
    b = record(tmp_path / "b run", script, ["0.3", str(children[1])], 0.3)
    assert main(["diff", "--inside", str(a), str(b)]) == 1
    out, err = capsys.readouterr()
    out = unfolded(out)
    says(out, "part at step 2, link forward")
    says(out, "\ninside: 1 (Dropout) is the first whose output is unequal; what goes in is equal; ")
    says(out, "p: 0.1 and 0.3\n")
    says(out, "the two go on", "\n3 ")  # of the old ledgers, which have a step more
    assert "runs both again" not in out
    first, second = err.splitlines()
    says(first, f"runs again, up to step 2: cd {tmp_path} && python -m reference observe")
    says(first, "--inside 2 --until 2 ", f"-- train.py 0.1 {shlex.quote(str(children[0]))}")
    says(second, f"-- train.py 0.3 {children[1]}")
    assert not (tmp_path / "went on").exists()
    assert all(has_ended(int(child.read_text())) for child in children)


def test_a_run_that_comes_out_as_another_is_no_repetition(script: Path, tmp_path: Path) -> None:
    old = record(tmp_path / "old", script, [], 0.1)
    new = record(tmp_path / "new", script, [], 0.3)
    run_again._check_same_run(old, new, 1, "")
    line = refusal(lambda: run_again._check_same_run(old, new, 2, ""))
    says(line, f"{old}: the run couldn't be repeated: it parts from its ledger at step 2, link for")
    says(line, "no ledger holds the environment's variables", "with observe --inside 2")


def test_a_run_that_ends_before_that_step_is_no_repetition(script: Path, tmp_path: Path) -> None:
    old = record(tmp_path / "old", script, [], 0.1)
    short = tmp_path / "short.jsonl"
    lines = old.read_bytes().splitlines(keepends=True)
    short.write_bytes(
        b"".join(line for line in lines if not line.startswith(b'{"kind":"step","step":3'))
    )
    run_again._check_same_run(old, short, 2, "")
    line = refusal(lambda: run_again._check_same_run(old, short, 3, "exit code 1: why"))
    says(line, "it ends after 2 steps (exit code 1: why)")


def test_a_script_that_fails_says_why(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("import no_such_module\n")
    a, b = (record(tmp_path / str(p), script, [], p) for p in (0.1, 0.3))
    assert main(["diff", "--inside", str(a), str(b)]) == 3
    says(
        capsys.readouterr().err, f"{a}: run again, it takes no step (exit code 1): ", "no_such_mod"
    )


def test_a_script_that_has_changed_is_not_run(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (record(tmp_path / str(p), script, [], p) for p in (0.1, 0.3))
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert main(["diff", "--inside", str(a), str(b)]) == 2
    err = capsys.readouterr().err
    says(err, f"{a}: can't be made again: train.py has changed since; run both yourself as before")
    says(err, "with observe --inside 2")
    assert "runs again" not in err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"world_size": 2}, "is of one of several processes"),
        ({"program": {"script": "train.py", "argv": []}}, "doesn't say how its script was run"),
        ({"program": {"script": None, "argv": [], "cwd": "."}}, "doesn't say how its script"),
        ({"program": {"script": "x.py", "argv": [1], "cwd": "."}}, "doesn't say how its script"),
        ({"program": {"script": "x.py", "argv": [], "cwd": "gone"}}, "was kept in gone, which is"),
        ({"program": {"script": "x.py", "argv": [], "cwd": "."}}, "can't be read"),
        ({"program": {"script": "a\0", "argv": [], "cwd": "."}}, "no file's name"),
        ({"recipe": {}, "loop": 1}, "names neither a script nor a recipe"),
        ({}, "names neither a script nor a recipe"),
    ],
)
def test_a_header_that_does_not_say_how(change: dict[str, Any], why: str, tmp_path: Path) -> None:
    says(refusal(lambda: command_of(Path("l"), change, 3, tmp_path)), why)


def test_the_command_of_a_module_and_of_a_loop(tmp_path: Path) -> None:
    program = {"script": "package.train", "argv": ["--a b"], "cwd": str(tmp_path), "module": True}
    command = command_of(Path("l"), {"program": program}, 3, tmp_path)
    run = f"--inside 3 --until 3 --run-dir {tmp_path}/run"
    said = f"cd {tmp_path} && python -m reference observe {run} -m package.train '--a b'"
    assert str(command) == said
    command = command_of(Path("l"), {"loop": "manual", "recipe": {"seed": 3}}, 3, tmp_path)
    assert command.words[:4] == ("train", "manual", "--recipe", str(tmp_path / "recipe.json"))
    assert json.loads((tmp_path / "recipe.json").read_text()) == {"seed": 3}


def test_nothing_is_run_where_the_ledgers_hold_it_or_there_is_nothing_inside(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, p, inside in (("a", 0.1, (2,)), ("b", 0.3, (2,)), ("same", 0.1, ())):
        with observing(tmp_path / name, inside=inside):
            train(p)
    a, b, same = (tmp_path / name for name in ("a", "b", "same"))
    assert main(["diff", "--inside", str(a), str(b)]) == 1
    said = unfolded(capsys.readouterr().out)
    says(said, "inside: 1 (Dropout) is the first whose output is unequal")
    assert main(["diff", "--inside", str(a), str(same)]) == 0
    assert capsys.readouterr().err == ""
    with observing(tmp_path / "other"):
        train(0.1, seed=1)
    assert main(["diff", "--inside", str(same), str(tmp_path / "other")]) == 1
    says(capsys.readouterr().err, "nothing is run again: the two part in batch, which no module")
    assert diff(a, same).verdict == "identical"


def test_it_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "--inside", "a", "b", "--offset", "1"]) == 2
    says(capsys.readouterr().err, "--inside: not together with --envelope or --offset")


def test_a_loop_of_the_lesson_is_run_again_by_its_recipe(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(replace(small, max_steps=3), "manual", tmp_path / "old")
    old = tmp_path / "old" / LEDGER_FILE
    command = command_of(old, read_ledger(old).header, 2, tmp_path)
    assert main(list(command.words)) == 0
    says(capsys.readouterr().out, "ended after step 2, as --until asks\n")
    new = tmp_path / "run" / LEDGER_FILE
    run_again._check_same_run(old, new, 2, "")
    assert [("inside" in step) for step in read_ledger(new).steps] == [False, True]
