"""Processes that watch each other: which of them is gone, and what it said at the end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch.distributed as dist

from reference.errors import NotFinite, TrainingFailed
from reference.observe.script.launcher import Launch
from reference.process.ports import free_port
from reference.run import silence
from reference.run.silence import no_silence
from tests.helpers.waiting import LIMIT, wait_until

BROKEN = "RuntimeError in step 3: Connection closed by peer"
STORE = """\
import sys
import torch.distributed as dist
store = dist.TCPStore("127.0.0.1", int(sys.argv[1]), is_master=True, wait_for_workers=False)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> object:
    """Where the processes met; and they speak faster than they do."""
    port = free_port()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setattr(silence, "BEAT", 0.05)
    return dist.TCPStore(
        "127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=LIMIT)
    )


def fail(error: Exception, rank: int = 0) -> str:
    """What an error within a run of two processes comes to."""

    with pytest.raises(TrainingFailed) as said, no_silence(Launch(rank, 2, "a launch")):
        raise error
    return str(said.value)


@contextmanager
def other(rank: int = 1) -> Iterator[silence._Others]:
    """The other process, as far as it speaks."""
    others = silence._Others(Launch(rank, 2, "a launch"), LIMIT)
    others.begin()
    try:
        yield others
    finally:
        others.end()


def test_a_process_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "GONE", 0.5)
    said = fail(TrainingFailed(BROKEN))
    assert said.startswith("rank 1 is gone: its process was killed, or its machine is cut off")
    assert said.endswith(f"this run ends ({BROKEN})")


def test_without_a_store_rank_0_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the store."""
    monkeypatch.setattr(silence, "GONE", 0.5)
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    assert fail(TrainingFailed(BROKEN), rank=1).startswith("rank 0 is gone")


def test_its_last_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "GONE", 0.5)
    with other() as rank_1:
        rank_1.tell("the loss isn't finite in step 3")
    said = fail(TrainingFailed(BROKEN))
    assert said == f"rank 1: the loss isn't finite in step 3 ({BROKEN})"


def test_an_error_of_its_own_stands() -> None:
    with other():
        assert fail(TrainingFailed("OutOfMemoryError")) == "OutOfMemoryError"


def test_what_is_not_finite_is_its_own_whoever_is_gone() -> None:
    assert fail(NotFinite("the loss isn't finite in step 3")) == "the loss isn't finite in step 3"


def test_one_that_is_silent_for_long_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    over = Event()

    def end(line: str) -> None:
        ended.append(line)
        over.set()

    monkeypatch.setattr(silence, "end_process", end)
    with no_silence(Launch(0, 2, "a launch"), limit=1.0):
        assert over.wait(LIMIT)
    assert ended[0] == (
        "rank 1 hasn't been heard of for 1 s: its process was stopped, or its machine is cut off; "
        "this run ends"
    )


class Ended(BaseException):
    """This process has ended, with a line and an exit code."""


@contextmanager
def store_of_another_process(port: int) -> Iterator[int]:
    """The number of the process that keeps it."""
    command = [sys.executable, "-c", STORE, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        try:
            yield process.pid
        finally:
            process.kill()


def is_stopped(pid: int) -> bool:
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (NotFinite("the loss isn't finite"), "the loss isn't finite", 3),
        (None, "rank 0 hasn't been heard of for 1 s: its process was stopped", 3),
    ],
    ids=["NotFinite", "none"],
)
def test_a_store_that_was_stopped_keeps_nobody_from_ending(
    error: Exception | None, line: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers no more, and torch waits for it whatever time-out it was given."""
    port = free_port()
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setattr(silence, "ENOUGH", timedelta(seconds=1))
    asks, may_ask = Event(), Event()
    listen = silence._Others._listen

    def listens(*given: Any) -> None:
        asks.set()
        assert may_ask.wait(LIMIT)
        listen(*given)

    def end(line: str, code: int = 3) -> None:
        raise Ended(line, code)

    monkeypatch.setattr(silence._Others, "_listen", listens)
    monkeypatch.setattr(silence, "end_process", end)

    def train(pid: int) -> None:
        with no_silence(Launch(1, 2, "a launch")):
            assert asks.wait(LIMIT)
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: is_stopped(pid), "the store's process to stop")
            may_ask.set()
            if error is not None:
                raise error

    with store_of_another_process(port) as pid, pytest.raises(Ended) as ended:
        train(pid)
    said, exit_code = ended.value.args
    assert (said[: len(line)], exit_code) == (line, code)
