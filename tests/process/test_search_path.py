"""What lies in the working directory isn't run in place of a library; `observe` runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIBRARIES = {"torch", "transformers", "datasets", "numpy", "click", "yaml", "tqdm", "xxhash"}
# What Python itself loads before it comes to a module that it is to run.
LOADED = "import runpy, sys; print(*{name.split('.')[0] for name in sys.modules})"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of the name of each library, by which one would notice."""
    folder = tmp_path_factory.mktemp("planted")
    loaded = python(folder, "-c", LOADED).stdout.split()
    assert "argparse" not in loaded
    for name in {*LIBRARIES, *sys.stdlib_module_names} - set(loaded):
        (folder / f"{name}.py").write_text(f"raise SystemExit('foreign {name}')\n")
    return folder


def python(folder: Path, *words: str, path: str = str(ROOT)) -> "subprocess.CompletedProcess[str]":
    # `-B`: no cache of bytecode is left in the folder.
    return subprocess.run(
        [sys.executable, "-B", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_planted_would_be_run(planted: Path) -> None:
    assert "foreign" in python(planted, "-m", "argparse").stderr


@pytest.mark.parametrize(
    ("words", "code"), [("--version", 0), ("deviations no-clip", 0), ("train manual --task x", 2)]
)
def test_a_command_runs_no_file_of_the_working_directory(
    words: str, code: int, planted: Path
) -> None:
    result = python(planted, "-m", "reference", *words.split())
    assert (result.returncode, "foreign" in result.stderr) == (code, False), result.stderr


def test_nor_does_the_process_that_imports_for_all_loops(planted: Path) -> None:
    words = [str(os.getpid()), "99", "click", "tqdm"]
    # Of a file descriptor that isn't open it says so, when all of its own imports are done.
    result = python(planted, "-m", "reference.process.fork_server_main", *words)
    assert "foreign" not in result.stderr
    assert "Bad file descriptor" in result.stderr or "JE_ARROW_MALLOC_CONF" in result.stderr


def test_an_observed_module_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import beside, sys\nprint(sys.path[0], beside.word)\n")
    (tmp_path / "beside.py").write_text("word = 'here'\n")
    plain = python(tmp_path, "-m", "mine")
    observed = python(tmp_path, "-m", "reference", "observe", "-m", "mine")
    assert observed.stdout == plain.stdout == f"{tmp_path} here\n"


def test_a_path_that_the_user_asks_for_stays(tmp_path: Path) -> None:
    """PYTHONPATH names the folder: whoever wrote that wants what is in it. Nor does a forked
    process, which begins as its parent did, take it away."""
    see = "from reference.__main__ import leave_out_working_directory as again\nimport sys\n"
    (tmp_path / "see.py").write_text(f"{see}again()\nprint(sys.path.count({str(tmp_path)!r}))\n")
    for asked, entries in ((str(tmp_path), "1\n"), ("", "0\n")):
        path = os.pathsep.join([*[asked] * bool(asked), str(ROOT)])
        assert python(tmp_path, "-m", "see", path=path).stdout == entries
