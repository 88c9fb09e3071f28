"""A run's folder is nobody else's, and its small files are whole or not there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference.errors import InputError
from reference.process.run_folder import default_run_dir, make_run_dir, write_json
from reference.process.signals import Stopped
from tests.conftest import ROOT


def test_a_run_folder_is_never_shared(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_run_dir(tmp_path / "empty")
    make_run_dir(tmp_path / "new" / "run")
    with pytest.raises(InputError, match="holds another run"):
        make_run_dir(tmp_path / "new" / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        make_run_dir(tmp_path / "file")
    with pytest.raises(InputError):
        make_run_dir(tmp_path / "file" / "run")


def test_default_names_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reference.process.run_folder.time.strftime", lambda _: "now")
    monkeypatch.setattr("reference.process.run_folder.os.getpid", lambda: 7)
    for expected in ("now-compare-7", "now-compare-7-2", "now-compare-7-3"):
        assert default_run_dir("compare").name == expected
        make_run_dir(default_run_dir("compare"))


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

    def half(self: Path, text: str) -> None:
        self.write_bytes(text.encode()[: len(text) // 2])
        raise error

    def not_at_all(*_: Any) -> None:
        raise error

    if where == "writing":
        monkeypatch.setattr(Path, "write_text", half)
    else:
        monkeypatch.setattr(os, "replace", not_at_all)
    with pytest.raises(type(error)):
        write_json(path, {"x": 2})
    assert [p.name for p in tmp_path.iterdir()] == (["a.json"] if there else [])
    assert not there or json.loads(path.read_text()) == {"x": 1}


KILLED = """
import os, signal, sys
from pathlib import Path
from reference.process.run_folder import write_json

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def half(self, text):
    self.write_bytes(text.encode()[:len(text) // 2])
    die()

path = Path(sys.argv[1])
if sys.argv[2] == "old":
    write_json(path, {"x": 1})
if sys.argv[3] == "writing":
    Path.write_text = half
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
