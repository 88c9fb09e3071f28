"""The judge itself: each fault that it is there for is planted, and seen."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.cli import inspect
from reference.errors import InputError, TrainingFailed
from tests.torture import judge
from tests.torture.families import COUNTS, Family
from tests.torture.judge import Case, complaints, run

Command = Callable[[], None]


def refuses(line: str) -> Command:
    def command() -> None:
        raise InputError(line)

    return command


def raises(error: BaseException) -> Command:
    def command() -> None:
        raise error

    return command


def leaves_a_file() -> None:
    Path("half.json").write_text("{")
    raise InputError("x: wrong; mend it")


def prints_first() -> None:
    print("task mrpc")
    raise InputError("x: wrong; mend it")


def writes_by_number() -> None:
    os.write(2, b"thread 'main' panicked\n")
    raise InputError("x: wrong; mend it")


FAULTS: dict[str, tuple[Command, str]] = {
    "a fault of ours": (raises(KeyError("x")), "a fault of ours"),
    "more than the machine has": (raises(MemoryError()), "more memory than there is"),
    "a failed training": (raises(TrainingFailed("x: step 2")), "ended with 3"),
    "a panic": (raises(SystemExit(7)), "ended with -1"),
    "no place": (refuses("something is wrong"), "doesn't say where"),
    "a file": (leaves_a_file, "left ['half.json']"),
    "half of an answer": (prints_first, "wrote to stdout before it refused"),
    "a library's words": (writes_by_number, "not one line on stderr"),
    "a word on stderr": (lambda: print("hm", file=sys.stderr), "said something on stderr"),
}


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """What is complained of in a case whose command does this."""

    def judged(command: Command, **given: object) -> list[str]:
        monkeypatch.setattr(inspect, "show_environment", command)
        case = Case(["env"], "none", places=("x: ",), **given)  # type: ignore[arg-type]
        here = tmp_path / "here"
        here.mkdir()
        return list(complaints(case, run(case, here), here))

    return judged


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str, judged: Callable[..., list[str]]) -> None:
    command, complaint = FAULTS[fault]
    assert any(complaint in said for said in judged(command))


@pytest.mark.parametrize("command", [refuses("x: wrong; mend it"), lambda: None])
def test_a_refusal_and_an_answer_are_no_faults(
    command: Command, judged: Callable[..., list[str]]
) -> None:
    assert judged(command) == []


def test_a_run_that_is_left_behind_is_seen(
    judged: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    assert judged(refuses("x: no"), run_dir=tmp_path / "run") == ["left a run's folder"]


def test_a_case_that_takes_long_is_seen(
    judged: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, judge.SLOWEST + 1])
    monkeypatch.setattr(judge.time, "process_time", lambda: next(seconds))
    assert judged(lambda: None) == ["took 11.0 s of CPU"]


def test_identical_to_what_it_was_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a seal that nobody looks at, some damaged ledger comes out `identical`."""
    monkeypatch.setattr("reference.ledger.reader.Item.is_broken", False)
    figures = Family("ledgers", tmp_path).run(range(300))
    assert any("identical to what it was before" in line for line in figures.bad)


@pytest.mark.parametrize("name", COUNTS)
def test_a_case_is_made_of_its_number_alone(name: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    families = [Family(name, tmp_path / folder) for folder in ("a", "b")]
    families[0].case(4)
    damages = [
        [family.case(number).damage for number in numbers]
        for family, numbers in zip(families, ((1, 2, 3), (3, 2, 1)), strict=True)
    ]
    assert damages[0] == damages[1][::-1]
