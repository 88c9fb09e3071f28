"""A run's folder is nobody else's."""

from pathlib import Path

import pytest

from reference.errors import InputError
from reference.process.run_folder import clear_run_dir, default_run_dir, make_run_dir


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


def test_a_folder_that_was_there_is_there_afterwards(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name, stays in (("mine", True), ("new", False)):
        new = make_run_dir(tmp_path / name)
        (tmp_path / name / "ledger.jsonl").write_text("")
        clear_run_dir(tmp_path / name, new=new)
        assert (tmp_path / name).exists() == stays
    assert not list((tmp_path / "mine").iterdir())
