"""`pytest benchmarks --benchmark-compare`: the first call, the second, and bad stored runs."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark.utils import get_machine_id

from benchmarks import conftest
from benchmarks.results.stored_run import TIMES, machine_info
from tests.benchmarks.stopped import LONGEST
from tests.conftest import ROOT


def compare(storage: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "benchmarks", "-k", "collating"]
    command += [f"--benchmark-storage={storage}", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False
    )


@pytest.mark.slow  # six sessions; `.ci/run` itself makes the first call and the second
def test_the_first_call_stores_and_the_second_compares(tmp_path: Path) -> None:
    first = compare(tmp_path, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "no stored run on this machine yet: this one will be stored" in first.stdout
    (stored,) = tmp_path.glob("*/0001_*.json")
    before = stored.read_bytes()
    second = compare(tmp_path, "--benchmark-compare", "--benchmark-compare-fail=mean:10000%")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "(NOW)" in second.stdout
    assert [stored] == list(tmp_path.glob("*/*.json"))

    # Slower than a stored run that took next to no time: `--benchmark-compare-fail` says so.
    run = json.loads(before)
    run["benchmarks"][0]["stats"].update({"min": 1e-6, "mean": 1e-6})
    run["machine_info"]["release"] = "another kernel"  # of the same machine, as it was
    run["machine_info"]["cpu"]["hz_actual"] = [1, 0]
    stored.write_text(json.dumps(run))
    slower = compare(tmp_path, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    assert slower.returncode != 0
    assert "Performance has regressed" in slower.stdout + slower.stderr
    assert "the stored run has another release, cpu" in slower.stdout

    stored.write_bytes(before)
    for words, said in (
        (["-k", "tokenizing", "--benchmark-compare"], "the stored run has none of these"),
        (["-k", "nosuch"], "no benchmark of that name"),
    ):
        nothing = compare(tmp_path, *words)
        assert nothing.returncode == 2
        assert said in nothing.stdout + nothing.stderr
    missing = compare(tmp_path, "--benchmark-compare=0007")
    assert missing.returncode == 2
    assert "no such stored run" in missing.stdout + missing.stderr


def test_a_folder_taken_for_a_stored_run_is_one_line() -> None:
    for taken in ("benchmarks", "benchmarks/measurements/epoch.py"):
        # Where no path is given, pytest looks in `testpaths`: one without a conftest that imports
        # torch, since it is the project's own conftest that refuses.
        command = [sys.executable, "-m", "pytest", "--collect-only", "-o", "testpaths=docs"]
        command += ["--benchmark-compare", taken]
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST
        )
        assert result.returncode == 2
        said = result.stdout + result.stderr
        assert f"put it before: pytest {taken} --benchmark-compare" in said
        assert "Traceback" not in said


def test_a_stored_run_of_no_use_is_one_line(tmp_path: Path) -> None:
    times = {**dict.fromkeys(TIMES, 1.0), "outliers": "0;0"}
    benchmark = {"fullname": "x", "extra_info": {}, "stats": times}
    run = {"machine_info": machine_info(), "benchmarks": [benchmark]}
    stored = tmp_path / get_machine_id() / "0001_x.json"
    stored.parent.mkdir()
    stored.write_text(json.dumps(run))
    configure(tmp_path, True)  # this one is of use
    for text, says in (
        (json.dumps({**run, "machine_info": {"cpu": {"brand_raw": "x"}}}), "another machine's run"),
        ("{", "or delete that file"),
        (json.dumps(run).replace('"mean": 1.0', '"mean": null'), "stats.mean: None is no number"),
    ):
        stored.write_text(text)
        refuses(tmp_path, True, says)
        assert stored.read_text() == text
    refuses(tmp_path, "0007", "no such stored run")


def configure(storage: Path, wanted: str | bool) -> None:
    """As a session on the benchmarks begins, in this process, which is quicker."""
    options = {"benchmark_compare": wanted, "benchmark_storage": f"file://{storage}"}
    config: Any = SimpleNamespace(
        getoption=lambda name, default: options.get(name, default), option=SimpleNamespace()
    )
    try:
        conftest.pytest_configure(config)
    finally:
        conftest.pytest_unconfigure()


@pytest.mark.slow
def test_to_be_slower_than_nothing_is_one_line(tmp_path: Path) -> None:
    done = compare(tmp_path, "--benchmark-compare-fail=mean:5%")
    assert done.returncode == 2
    assert "error: --benchmark-compare-fail: compares nothing" in done.stdout + done.stderr


def refuses(storage: Path, wanted: str | bool, says: str) -> None:
    """What a session is told before it collects anything."""
    with pytest.raises(pytest.exit.Exception) as exit:
        configure(storage, wanted)
    assert exit.value.returncode == 2
    assert str(exit.value).startswith("error: ")
    assert says in str(exit.value)
