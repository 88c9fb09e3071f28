"""The commands' files: one that can't be written is refused before minutes of measuring."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import gate, pair, parts, planted


@pytest.mark.parametrize(
    "command",
    [
        lambda file: gate.main(["--json", file]),
        lambda file: parts.main(["--json", file]),
        lambda file: pair.main(["manual", "--json", file]),
        lambda file: planted.main(["--out", file]),
    ],
    ids=["gate", "parts", "pair", "planted"],
)
def test_a_file_that_cant_be_had_is_told_before_anything_is_measured(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    for file, says in (
        (tmp_path / ("x" * 300), "no file's name"),
        (tmp_path, "is a folder; give a file"),
        (tmp_path / "taken" / "out.json", "taken isn't a folder"),
    ):
        assert command(str(file)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {file}: ")
        assert says in line
    assert sorted(tmp_path.iterdir()) == [tmp_path / "taken"]
