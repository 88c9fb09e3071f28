"""Small files are whole or not there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference.process.signals import Stopped
from reference.process.whole_files import write_json
from tests.conftest import ROOT


def test_json_is_whole_or_not_there(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("where", ["writing", "renaming"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), Stopped(signal.SIGTERM)])
def test_a_write_that_fails_leaves_the_old_file_or_none(
    error: BaseException, where: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    if there:
        write_json(path, {"x": 1})

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(os, {"writing": "fsync", "renaming": "replace"}[where], fail)
    with pytest.raises(type(error)):
        write_json(path, {"x": 2})
    assert [p.name for p in tmp_path.iterdir()] == (["a.json"] if there else [])
    assert not there or json.loads(path.read_text()) == {"x": 1}


KILLED = """
import os, signal, sys
from pathlib import Path
from reference.process.whole_files import write_json

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
if sys.argv[2] == "old":
    write_json(path, {"x": 1})
if sys.argv[3] == "writing":
    os.fsync = die
else:
    os.replace = die
write_json(path, {"x": 2})
"""


@pytest.mark.parametrize("where", ["writing", "renaming"])
@pytest.mark.parametrize("before", ["old", "nothing"])
def test_a_writer_that_is_killed_leaves_the_old_file_or_none(
    before: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    writer = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), before, where], cwd=ROOT, check=False
    )
    assert writer.returncode == -signal.SIGKILL
    assert path.exists() == (before == "old")
    assert before == "nothing" or json.loads(path.read_text()) == {"x": 1}
