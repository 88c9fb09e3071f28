"""The README's example of `diff` and `explain`, run as it stands: what each command says."""

import re
from pathlib import Path

import pytest

from reference.cli.main import main
from tests.conftest import ROOT
from tests.helpers.pages import blocks


def example() -> list[tuple[str, list[str]]]:
    """(command, the lines shown below it), in their order."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (b for b in blocks(page, "text") if "reference explain" in b)
    parts = [part.splitlines() for part in block.split("$ ")[1:]]
    return [(command, shown) for command, *shown in parts]


def rounded(text: str) -> str:
    """Another processor rounds otherwise: numbers to five places."""
    return re.sub(r"\d+\.\d{6,}", lambda number: f"{float(number[0]):.5f}", text)


def test_the_example_is_what_the_commands_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = example()
    assert len(commands) == 4
    for command, shown in commands:
        words = command.removeprefix("python -m reference ").split()
        code = main([*words, *(["--device", "cpu"] if words[0] in ("train", "explain") else [])])
        assert code == (words[0] == "diff")  # which diverges
        said = rounded(capsys.readouterr().out).splitlines()
        for line in shown:
            begins = rounded(line).removesuffix("...").rstrip()
            assert any(whole.startswith(begins) for whole in said), "\n".join([line, *said])
        assert shown or words[0] == "train"
