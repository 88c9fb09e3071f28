"""A standard stream that libraries in other languages write to, by its number."""

import os

import pytest

from reference.process.streams import STDERR, nothing_on_stderr


def test_nothing_comes_through_and_then_all_does(capfd: pytest.CaptureFixture[str]) -> None:
    with nothing_on_stderr():
        os.write(STDERR, b"panicked")
    os.write(STDERR, b"after")
    assert capfd.readouterr().err == "after"


def test_a_process_without_stderr_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_number: int) -> int:
        raise OSError

    monkeypatch.setattr(os, "dup", closed)
    with nothing_on_stderr():
        reached = True
    assert reached
