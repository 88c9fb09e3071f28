"""A signal ends a run after its step, saved, and a second one at once; one run at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.optim.optimizer import register_optimizer_step_post_hook

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.process.exit_codes import ended
from reference.process.folder_lock import locked
from reference.run.one_run import run
from reference.run.saving import Saving
from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

LOOPS = ("manual", "accelerated")


@contextmanager
def in_step(number: int, do: Callable[[], Any]) -> Iterator[None]:
    """Do something within an optimizer's step."""
    steps = 0

    def count(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == number:
            do()

    handle = register_optimizer_step_post_hook(count)
    try:
        yield
    finally:
        handle.remove()


def exit_code(train: Callable[[], Any]) -> int:
    """As the command line ends."""

    def command() -> int:
        train()
        return 0

    return ended(command)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_finishes_the_step_and_saves(
    small: Recipe, tmp_path: Path, loop: str, number: int, code: int
) -> None:
    recipe = replace(small, max_steps=6)
    run(recipe, loop, tmp_path / "whole")
    folder = tmp_path / "run"
    with in_step(3, lambda: signal.raise_signal(number)):
        assert exit_code(lambda: run(recipe, loop, folder, saving=Saving(every=100))) == code
    assert [each.name for each in (folder / "checkpoints").iterdir()] == ["step-00000003"]
    run(recipe, loop, folder, saving=Saving(resume="newest"))
    whole, resumed = ((tmp_path / name / LEDGER_FILE).read_bytes() for name in ("whole", "run"))
    assert resumed == whole


def test_a_second_one_ends_it_at_once(small: Recipe, tmp_path: Path) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    folder = tmp_path / "run"
    with in_step(3, twice):
        code = exit_code(lambda: run(small, "manual", folder, saving=Saving(every=2)))
    assert code == 143
    assert [each.name for each in (folder / "checkpoints").iterdir()] == ["step-00000002"]


def test_after_the_last_step_one_ends_it_at_once(small: Recipe, tmp_path: Path) -> None:
    """There is nothing more to save, and the evaluation isn't waited for."""
    recipe = replace(small, max_steps=3)
    folder = tmp_path / "run"
    with in_step(3, lambda: signal.raise_signal(signal.SIGTERM)):
        assert exit_code(lambda: run(recipe, "manual", folder, saving=Saving(every=2))) == 143
    assert not (folder / "metrics.json").exists()
    assert [each.name for each in (folder / "checkpoints").iterdir()] == ["step-00000002"]


def test_the_signals_are_as_before_afterwards(small: Recipe, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run(replace(small, max_steps=2), "manual", tmp_path / "run", saving=Saving(every=1))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()} trains in it"):
        locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from reference.process.folder_lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, timeout=LIMIT, check=False).returncode == -9
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_run_that_trains_is_not_resumed(small: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(SystemExit):
        run(small, "manual", folder, until=3, saving=Saving(every=2))
    before = (folder / LEDGER_FILE).read_bytes()
    with locked(folder), pytest.raises(InputError, match="trains in it"):
        run(small, "manual", folder, saving=Saving(resume="newest"))
    assert (folder / LEDGER_FILE).read_bytes() == before
