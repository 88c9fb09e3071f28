"""An error of all processes of a torchrun is one line, and torchrun's root cause."""

import json
from pathlib import Path

import pytest

from reference.errors import InputError, TrainingFailed
from reference.process.exit_codes import ended
from reference.process.rank_errors import FILE
from reference.process.signals import Stopped

SIGTERM = 15


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    for rank in "01":
        (tmp_path / "attempt_0" / rank).mkdir(parents=True)
    return tmp_path / "attempt_0"


def end(rank: int, error: BaseException, attempt: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv(FILE, str(attempt / str(rank) / "error.json"))

    def command() -> int:
        raise error

    return ended(command)


def test_all_ranks_say_one_line(
    attempt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [end(rank, InputError("a: no"), attempt, monkeypatch) for rank in (0, 1)]
    assert codes == [2, 2]
    assert capsys.readouterr().err == "error: a: no\n"
    for rank in "01":
        told = json.loads((attempt / rank / "error.json").read_text())
        assert told["message"]["message"] == "error: a: no"


def test_another_line_is_said(
    attempt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(0, InputError("a: no"), attempt, monkeypatch)
    assert end(1, TrainingFailed("b: no"), attempt, monkeypatch) == 3
    assert capsys.readouterr().err == "error: a: no\nerror: b: no\n"


def test_that_the_others_were_stopped_is_no_news(
    attempt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(0, InputError("a: no"), attempt, monkeypatch)
    assert end(1, Stopped(SIGTERM), attempt, monkeypatch) == 143
    assert capsys.readouterr().err == "error: a: no\n"


def test_that_all_were_stopped_is(
    attempt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [end(rank, Stopped(SIGTERM), attempt, monkeypatch) for rank in (0, 1)] == [143, 143]
    assert capsys.readouterr().err == "error: stopped by SIGTERM\n"


def test_without_torchrun_each_says_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(FILE, raising=False)

    def command() -> int:
        raise InputError("a: no")

    assert [ended(command), ended(command)] == [2, 2]
    assert capsys.readouterr().err == "error: a: no\n" * 2
