"""What a measurement leaves: whole or not there, and a file that can't be had is told before."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results.output_file import check_output, write_output
from reference.errors import InputError
from reference.process.whole_files import write_new, write_whole


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.json"
    write_whole(file, "first")

    def full(_handle: int) -> None:
        raise OSError(28, "no room")

    monkeypatch.setattr("benchmarks.results.output_file.os.fsync", full)
    with pytest.raises(OSError, match="no room"):
        write_whole(file, "second")
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


def test_a_folder_that_isnt_there_yet_can_be_had(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "out.json")
    check_output(None)
    assert list(tmp_path.iterdir()) == []
