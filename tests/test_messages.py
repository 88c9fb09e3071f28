"""Colour: on a terminal, where nobody asked for none, and nowhere else."""

import io

import pytest

from reference.messages import coloured, nearest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LINE = "diverged: a and b part at step 1"


@pytest.fixture(autouse=True)
def a_terminal_of_some_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_verdict_begins_in_colour() -> None:
    assert coloured(LINE, Terminal()) == "\x1b[31mdiverged\x1b[0m: a and b part at step 1"
    assert coloured("reference: error: x", Terminal()).endswith("error:\x1b[0m x")


def test_other_lines_have_none() -> None:
    assert coloured("run: runs/identical", Terminal()) == "run: runs/identical"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_whoever_asks_for_none_gets_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert coloured(LINE, Terminal()) == LINE


def test_an_empty_no_color_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As no-color.org has it."""
    monkeypatch.setenv("NO_COLOR", "")
    assert coloured(LINE, Terminal()) != LINE


def test_a_file_gets_none() -> None:
    assert coloured(LINE, io.StringIO()) == LINE


def test_the_known_names_are_listed_unless_they_are_many_and_one_is_near() -> None:
    few, many = ["eps", "no-clip"], ["no-clip", *map(str, range(50))]
    assert str(nearest("deviation", "nocilp", few)).endswith("; known: eps, no-clip")
    assert str(nearest("deviation", "nocilp", many)).endswith("(did you mean no-clip?)")
    assert str(nearest("deviation", "x", many)).endswith("48, 49")
