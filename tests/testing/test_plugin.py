"""The pytest plugin as somebody installs it: the README's example as it stands, and its cost."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reference.lesson.embedded import checkpoint_folder
from tests.conftest import ROOT

STRICT = ("-p", "no:cacheprovider", "-W", "error", "--strict-markers", "--strict-config")

FREE = """
import sys

def test_a_session_that_does_not_use_it_pays_nothing():
    loaded = {name for name in sys.modules if name.split(".")[0] == "reference"}
    assert loaded == {"reference", "reference.pytest_plugin"}
    assert not {"torch", "transformers"} & set(sys.modules)

def test_nor_does_the_fixture_before_it_is_called(same_run):
    assert same_run.__name__ == "assert_same_run"
    assert not {"torch", "transformers"} & set(sys.modules)
"""


def readme_example() -> tuple[str, str]:
    """(my_loop.py, its test): the two blocks, as they stand."""
    section = (ROOT / "README.md").read_text().split("## Test your own loop\n")[1].split("\n## ")[0]
    blocks = [part.split("\n```")[0] + "\n" for part in section.split("```python\n")[1:]]
    assert len(blocks) == 2
    return blocks[0], blocks[1]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The package with its entry points, as pip leaves them: pytest rewrites what RECORD names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = [f"{k} = {v}" for k, v in project["entry-points"]["pytest11"].items()]
    info = tmp_path / "installed" / "some_copy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-copy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *points, ""]))
    (info / "RECORD").write_text("reference/__init__.py,,\nreference/pytest_plugin.py,,\n")
    (info.parent / "reference").symlink_to(ROOT / "reference")
    return info.parent


def run_pytest(installed: Path, files: dict[str, str], *options: str) -> str:
    """What a session on `files` prints."""
    folder = installed.with_name("project")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    environment = {"PYTHONPATH": str(installed), "REFERENCE_CACHE": str(checkpoint_folder().parent)}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *STRICT, *options],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return result.stdout + result.stderr


def test_the_readmes_example(installed: Path) -> None:
    my_loop, test = readme_example()
    clip = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    assert my_loop.count(clip) == 1
    files = {
        "my_loop.py": my_loop,
        "test_my_loop.py": test,
        "no_clip.py": my_loop.replace(clip, ""),
        "test_no_clip.py": test.replace("my_loop", "no_clip"),
    }
    out = run_pytest(installed, files)
    assert re.search(r"^test_my_loop\.py \.", out, re.MULTILINE), out
    assert "1 failed, 1 passed" in out
    # The test's own line, the diagnosis, and none of this package's frames.
    _, failure = out.split(">       same_run(train)\n")
    lines = failure.splitlines()
    first = "AssertionError: diverged: recipe embedded and train part at step 1, link clip"
    assert lines[:2] == [f"E       {first}", "E       proven: no-clip"]
    assert next(line for line in lines if not line.startswith("E ")) == ""
    assert "test_no_clip.py:5: AssertionError" in lines
    assert "reference/" not in out


def test_it_is_free_and_may_be_asked_for_thrice(installed: Path) -> None:
    """By its entry point, on the command line and in a conftest: loaded once."""
    files = {
        "conftest.py": 'pytest_plugins = ["reference.pytest_plugin"]\n',
        "test_free.py": FREE,
    }
    out = run_pytest(installed, files, "-p", "reference.pytest_plugin")
    assert "2 passed" in out, out


def test_the_example_is_short() -> None:
    my_loop, test = readme_example()
    assert len([line for line in test.splitlines() if line]) < 10
    assert len(my_loop.split("\n\n\n")[1].splitlines()) == 10
