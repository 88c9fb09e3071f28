"""Trainings that can't be compared, or not to their ends: whose fault it is, and how far."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from reference import lockstep
from reference.lockstep.pair import PairRun, SideRun, with_children
from reference.lockstep.result import Lockstep, failure_of
from reference.lockstep.wire import Connection
from tests.helpers.observing import python, write
from tests.lockstep.small_training import A, Training


@dataclass(frozen=True, kw_only=True)
class Broken(Training):
    """A training that does something else at its third step."""

    does: Callable[[], object]

    def batches(self, data: object) -> object:
        for number, each in enumerate(super().batches(data)):
            if number == 2:
                self.does()
            yield each


def crash() -> None:
    raise KeyError("no such column")


def broken(does: Callable[[], object]) -> Broken:
    return Broken(does=does)


def failure(result: Lockstep) -> str:
    assert result.exit_code == 2
    assert not result.is_proven
    (line,) = [line for line in result.lines() if line.startswith("couldn't be compared")]
    return line


def test_one_that_crashes_is_named_and_shows_its_traceback(capfd: pytest.CaptureFixture) -> None:
    result = lockstep(A, broken(crash))
    assert "B (Broken) ended with exit code 1 after 2 steps" in failure(result)
    told = capfd.readouterr().err
    assert "B| KeyError: 'no such column'" in told
    assert "A|" not in told


def test_the_first_may_crash_too() -> None:
    assert "A (Broken) ended with exit code 1 after 2 steps" in failure(lockstep(broken(crash), A))


def test_one_that_is_killed_is_named() -> None:
    result = lockstep(A, broken(lambda: os.kill(os.getpid(), 9)))
    assert "B (Broken) was killed by signal 9 after 2 steps" in failure(result)


@pytest.mark.parametrize("side", [0, 1])
def test_one_that_hangs_is_named_and_ended(side: int) -> None:
    both = [A, A]
    both[side] = broken(lambda: time.sleep(3600))
    result = lockstep(*both, patience=2.0)
    assert f"{'AB'[side]} (Broken) hangs: not a word in " in failure(result)


def test_one_whose_words_nobody_takes_waits_and_does_not_hang() -> None:
    """More than a socket holds: the other end begins to read when it hears that one waits."""
    ends = socket.socketpair()
    sender, taker = map(Connection, ends)
    waits: list[bool] = []
    heard = threading.Event()

    def on_wait(is_one: bool) -> None:
        waits.append(is_one)
        heard.set()

    def take() -> None:
        heard.wait()
        taken.append(taker.receive())

    sender.on_wait = on_wait
    taken: list[Any] = []
    thread = threading.Thread(target=take)
    thread.start()
    sender.send({"kind": "pass"}, {"a": bytes(1 << 23)})
    thread.join()
    assert waits == [True, False]
    ((record, pieces),) = taken
    assert (record, len(pieces["a"])) == ({"kind": "pass"}, 1 << 23)
    sender.close()
    taker.close()


def test_what_its_children_compute_is_work() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.pid in with_children(os.getpid())
    child.communicate(b"\n")


def test_one_that_asks_for_input_is_told_so() -> None:
    assert "B (Broken) ended with exit code 1 after 2 steps; it asks for input, and gets none" in (
        failure(lockstep(A, broken(lambda: sys.stdin.read() or input())))
    )


def test_one_that_never_trains_is_named() -> None:
    assert "B (never) took no optimizer step" in failure(lockstep(A, never))


def test_the_one_that_trains_is_not_blamed_with_it() -> None:
    for a, b, name in ((A, never, "B"),):
        assert failure(lockstep(a, b)) == (
            f"couldn't be compared: {name} (never) took no optimizer step in its process"
        )


def test_a_script_that_is_not_there_is_named(tmp_path) -> None:
    script = write(tmp_path, "script.py", "import torch\ninput()\n")
    result = python("-m", "reference", "lockstep", script, "--", tmp_path / "none.py")
    assert result.returncode == 2
    assert "couldn't be compared: B: " in result.stdout
    assert "none.py: no such script; give SCRIPT, or -m MODULE\n" in result.stdout


def never() -> None:
    nn.Linear(2, 2)(torch.ones(2))


def test_the_shorter_one_says_after_how_many_steps() -> None:
    for a, b, words in (
        (A, replace(A, steps=4), "B ends after 4 steps, and A goes on: it was ended there"),
        (replace(A, steps=4), A, "A ends after 4 steps, and B goes on: it was ended there"),
    ):
        result = lockstep(a, b)
        assert words in str(result)
        assert result.is_proven
        assert result.exit_code == 1
        assert "B is A's run: 4 steps, every link, bit for bit" in str(result)


def test_as_many_steps_as_are_asked_for() -> None:
    result = lockstep(A, replace(A, steps=5), steps=3)
    assert "proven: no difference; B is A's run: 3 steps" in str(result)
    assert result.exit_code == 0


def test_parameters_of_one_alone_are_told_and_the_rest_is_compared() -> None:
    result = lockstep(A, replace(A, deeper=True))
    assert ("weights", "parameters alone") in {(d.link, d.field) for d in result.differences}
    assert "2 parameters are in B alone (4.weight)" in str(result)


def test_two_scripts_by_the_command(tmp_path) -> None:
    text = (
        "import sys, torch\n"
        "torch.manual_seed(int(sys.argv[1])); model = torch.nn.Linear(2, 1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), float(sys.argv[2]))\n"
        "for step in range(3):\n"
        "    model(torch.ones(4, 2)).sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "print('done', sys.argv[1])\n"
    )
    script = write(tmp_path, "script.py", text)
    words = ["-m", "reference", "lockstep", script, "1", "0.1", "--", script, "2", "0.2"]
    result = python(*words)
    assert result.returncode == 1, result.stderr
    assert "A| done 1" in result.stdout
    assert "B| done 2" in result.stdout
    assert "schedule, every step: learning rate 0.1 and 0.2" in result.stdout
    assert "proven: with these 2, B is A's run: 3 steps, every link, bit for bit" in result.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a.py"], "lockstep: no second script; give A.py [ARGS] -- B.py [ARGS]"),
        (["a.py", "--"], "lockstep: no script after --; give A.py [ARGS] -- B.py [ARGS]"),
        (["--only", "clop", "a.py", "--", "b.py"], "unknown link in --only 'clop'"),
        (["--only", "clip", "--json", "a.py", "--", "b.py"], "--only: not together with --json"),
        (["--but", "clip", "--effects", "a.py", "--", "b.py"], "--but: not together with --eff"),
        (["--", "b.py"], "lockstep: no script before --; give A.py, or --recipe"),
        (["--python", "no", "a.py", "--", "b.py"], "--python: no can't be run; give an envi"),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], error: str) -> None:
    result = python("-m", "reference", "lockstep", *words)
    assert result.returncode == 2
    assert error in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_one_that_was_ended_before_it_could_train_is_not_blamed() -> None:
    ended, never = SideRun("A", ["a.py"]), SideRun("B", ["b.py"], end={"code": 0})
    assert failure_of(PairRun((ended, never))) == ("B (b.py) took no optimizer step in its process")
