"""`--help`, `--version` and shell completion."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import reference
from reference.cli.main import main
from reference.cli.program import program
from reference.lesson.recipe import ALIASES, FIELDS
from reference.lesson.recipe_fields import GROUPS, about
from tests.conftest import ROOT

COMMANDS = list(program.commands)
TAKE_A_RECIPE = ["compare", "train", "explain", "deviations", "data"]

Help = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Help:
    """The help of a command on a terminal of so many columns."""

    def run(*words: str, columns: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main([*words, "--help"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


def in_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("command", TAKE_A_RECIPE)
def test_each_field_is_explained(command: str, show: Help) -> None:
    page = in_one_line(show(command, columns=100))
    for name, field in FIELDS.items():
        if name != "name":
            assert f" --{name.replace('_', '-')}" in page
            assert in_one_line(about(field).meaning) in page
    assert "--name" not in page
    for group in GROUPS:
        assert f"{group.capitalize()}:" in page


def test_what_a_reader_asks_of_it(show: Help) -> None:
    page = in_one_line(show("train", columns=100))
    assert "global (drawn from torch's global generator" in page
    assert "-1: all the epochs" in page
    assert "a folder with GLUE's files" in page
    assert "the run's folder, new or empty" in page
    assert "a recipe's file (.json, .yaml), or a run's folder" in page
    assert "[default: 0.0005]" in page  # the embedded recipe's, not the course's


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
@pytest.mark.parametrize("columns", [60, 80])
def test_it_fits_the_terminal(command: list[str], columns: int, show: Help) -> None:
    lines = show(*command, columns=columns).splitlines()
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_is(command: str, show: Help) -> None:
    short = program.commands[command].short_help
    assert short
    assert short in in_one_line(show(columns=100))
    assert in_one_line(show(command)).partition(" ")[0] == "Usage:"


def test_no_riddles(show: Help) -> None:
    """Which course, and which lesson of it, stands wherever users read of it."""
    for command in COMMANDS:
        assert "the lesson" not in show(command)
    assert "Hugging Face's course, chapter 3" in in_one_line(show())


def test_aliases_stand_beside_the_fields_own_names(show: Help) -> None:
    page = show("train", columns=100)
    for alias, name in ALIASES.items():
        words = (f"--{word.replace('_', '-')}" for word in (name, alias))
        assert ", ".join(words) in page
    assert "--run-dir, --output-dir" in page
    assert "--bf16" in page


def on_a_terminal(*words: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    command = [sys.executable, "-m", "reference", *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**plain, "TERM": "xterm", **environment},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    process.wait()
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize("words", [["--help"], ["diff", "nix", "nix"]])
def test_colour_on_a_terminal_unless_nobody_wants_it(words: list[str]) -> None:
    assert "\x1b[" in on_a_terminal(*words)
    assert "\x1b[" not in on_a_terminal(*words, NO_COLOR="1")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"finetuning-reference {reference.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_needs_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_FINETUNING_REFERENCE_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("com", {"compare"}),
        ("train m", {"manual"}),
        ("train manual --task s", {"sst2", "stsb"}),
        ("train manual --data-order g", {"global"}),
        ("compare --recipe course", {"course", "course-as-written"}),
        ("compare --checkpoint mini", {"minilm"}),
        ("compare --batch", {"--batch-size"}),
    ],
)
def test_completion(
    words: str,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_FINETUNING_REFERENCE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"finetuning-reference {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {re.sub("^plain,", "", line) for line in lines} == offered


def test_completion_of_a_folder_is_the_shells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("_FINETUNING_REFERENCE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"finetuning-reference train manual --data {tmp_path}")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("file,")
