"""What a measurement leaves: whole or not there, and a file that can't be had is told before."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.storage.file import FileStorage

from benchmarks import conftest, gate, pair, parts, planted
from benchmarks.results.output_file import check_output, write_atomically, write_new, write_output
from reference.errors import InputError


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.json"
    write_atomically(file, "first")

    def full(_handle: int) -> None:
        raise OSError(28, "no room")

    monkeypatch.setattr("benchmarks.results.output_file.os.fsync", full)
    with pytest.raises(OSError, match="no room"):
        write_atomically(file, "second")
    with pytest.raises(InputError, match=r"out\.json: can't be written .no room"):
        write_output(file, "second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_name_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    write_new(file, "first")
    with pytest.raises(FileExistsError):
        write_new(file, "second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_name_is_taken_where_there_are_no_links_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("benchmarks.results.output_file.os.link", refused)
    test_a_name_that_is_taken_stays_as_it_is(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_pipe_is_written_to_and_a_link_is_followed(tmp_path: Path) -> None:
    pipe, link, behind = tmp_path / "pipe", tmp_path / "link.json", tmp_path / "there" / "x.json"
    os.mkfifo(pipe)
    link.symlink_to(behind)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for file in (pipe, link):
        check_output(file)
        write_output(file, "whole")
    assert os.read(reader, 100) == b"whole"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert behind.read_text() == "whole"


class Quiet:
    def info(self, *_: Any, **__: Any) -> None:
        pass


def test_two_runs_that_are_saved_at_once_are_both_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have asked for the next number before either has its file."""
    storage = FileStorage(str(tmp_path), Quiet())
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))  # what each sees of the other: nothing
    conftest._save(storage, {"run": 1}, "same")
    conftest._save(storage, {"run": 2}, "same")
    names = ["0001_same.json", "0002_same.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    monkeypatch.undo()
    for name in ("9999_x.json", "10000_x.json"):
        (tmp_path / name).write_text("{}")
    conftest._save(storage, {"run": 3}, "x")
    assert json.loads((tmp_path / "10001_x.json").read_text()) == {"run": 3}


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


def test_a_folder_that_isnt_there_yet_can_be_had(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "out.json")
    check_output(None)
    assert list(tmp_path.iterdir()) == []
