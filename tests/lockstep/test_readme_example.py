"""The README's example of lockstep, run as it stands: what it shows is what is said."""

import re
import shlex
from pathlib import Path

from tests.conftest import ROOT
from tests.helpers.observing import python
from tests.helpers.pages import blocks


def rounded(text: str) -> str:
    """Another processor rounds otherwise: numbers to five places."""
    return re.sub(r"\d+\.\d{6,}", lambda number: f"{float(number[0]):.5f}", text)


def test_the_example_is_what_the_command_says(tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (b for b in blocks(page, "text") if "$ python -m reference lockstep" in b)
    command, *shown = block.removeprefix("$ ").splitlines()
    result = python(*shlex.split(command)[1:], cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    said = [rounded(line) for line in result.stdout.splitlines()]
    assert len(shown) > 4
    for line in shown:
        begins = rounded(line).removesuffix("...").rstrip()
        assert any(whole.startswith(begins) for whole in said), "\n".join([line, *said])
