"""Processes that watch each other: which of them is gone, and what it said at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import pytest
import torch.distributed as dist

from reference.errors import NotFinite, TrainingFailed
from reference.observe.script.launcher import Launch
from reference.process.ports import free_port
from reference.run import silence
from reference.run.silence import no_silence
from tests.helpers.waiting import LIMIT

BROKEN = "RuntimeError in step 3: Connection closed by peer"


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
