"""The package as it is installed: all that it needs is in the wheel, wherever it is run."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reference
from reference.cli.program import PROGRAM
from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

pytestmark = pytest.mark.wheel


def call(*arguments: str, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own; built from a copy, which leaves no trace here."""
    found = importlib.util.find_spec("setuptools") and importlib.metadata.version("setuptools")
    if not found or int(found.split(".")[0]) < 77 or not importlib.util.find_spec("pip"):
        pytest.skip("a wheel is built offline with pip and setuptools 77 or later")
    base = tmp_path_factory.mktemp("wheel")
    source, target = base / "source", base / "target"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "reference", source / "reference")
    offline = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    build = ["wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(base), str(source)]
    call("-m", "pip", *build, cwd=base, **offline)
    (wheel,) = base.glob("*.whl")
    install = ["install", "--no-deps", "--no-compile", "--target", str(target), str(wheel)]
    call("-m", "pip", *install, cwd=base, **offline)
    return target


def test_it_runs_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    path = {"PYTHONPATH": str(installed)}
    where = call("-c", "import reference; print(reference.__file__)", cwd=tmp_path, **path)
    assert where.strip() == str(installed / "reference" / "__init__.py")
    assert "torch " in call("-m", "reference", "env", cwd=tmp_path, **path)
    out = call("-m", "reference", "data", "--device", "cpu", cwd=tmp_path, **path)
    assert "1377 in all" in out
    assert list(tmp_path.iterdir()) == []


def test_the_stored_seeds_come_with_it(installed: Path, tmp_path: Path) -> None:
    code = "from reference.seeds.stored_ranges import RANGES, stored; print(RANGES, len(stored()))"
    said = call("-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
    ours = len([*(ROOT / "reference" / "seeds" / "ranges").glob("*.json")])
    assert said == f"{installed / 'reference' / 'seeds' / 'ranges'} {ours}\n"


def test_it_is_a_command_too(installed: Path, tmp_path: Path) -> None:
    path = {"PYTHONPATH": str(installed)}
    said = call(str(installed / "bin" / PROGRAM), "--version", cwd=tmp_path, **path)
    assert said == f"{PROGRAM} {reference.__version__}\n"
    said = call(str(installed / "bin" / PROGRAM), "train", "--help", cwd=tmp_path, **path)
    assert said.startswith(f"Usage: {PROGRAM} train")


def test_its_metadata_and_types(installed: Path) -> None:
    (distribution,) = importlib.metadata.distributions(path=[str(installed)])
    assert distribution.version == reference.__version__
    assert (installed / "reference" / "py.typed").is_file()
    assert "Typing :: Typed" in distribution.metadata.get_all("Classifier", [])
    assert distribution.metadata.get_all("Project-URL")


def test_every_file_of_the_package_is_in_it_and_no_other(installed: Path) -> None:
    def files(folder: Path) -> set[str]:
        return {str(p.relative_to(folder)) for p in folder.rglob("*.py")}

    assert files(installed / "reference") == files(ROOT / "reference")
    assert {p.name.split("-")[0] for p in installed.iterdir()} == {
        "bin",
        "reference",
        "finetuning_reference",
    }
    licence = next(installed.glob("*.dist-info")) / "licenses" / "LICENSE"
    assert "Apache License" in licence.read_text()
