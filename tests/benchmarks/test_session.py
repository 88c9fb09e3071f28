"""A session of benchmarks: what is no pass, what is stored, what a regression and ratios say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.stopped import LONGEST
from tests.conftest import ROOT

# What is made up trains nothing: no library is silenced, and so none is imported, for seconds.
PLUGIN = """
import pytest

pytest_plugins = ["benchmarks.conftest"]

@pytest.fixture(autouse=True, scope="session")
def _quiet():
    pass
"""
# Hypothesis imports itself at a session's end, for two seconds; nothing here draws.
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
BEGIN = """
import os, time
from dataclasses import asdict
import pytest
from benchmarks.timing.paired_ratio import Ratio

def note(benchmark, middle=1.0):
    names = ("versions", "threads", "device", "platform", "peak_process_bytes")
    ratio = asdict(Ratio(middle, middle - 0.01, middle + 0.01, 8, 56))
    benchmark.extra_info.update({**dict.fromkeys(names, 1), "ratios": {"a-ratio": ratio}})

"""
TIMED = """
def test_it(benchmark):
    benchmark.pedantic(time.sleep, args=(float(os.environ["SECONDS"]),), rounds=2)
    note(benchmark, float(os.environ["MIDDLE"]))
"""
SKIPPED = """
def test_it(benchmark):
    pytest.skip("not here")
"""
REPLAYED = """
from benchmarks.results.replayed_timer import replay, replayed

@pytest.mark.benchmark(timer=replayed)
def test_it(benchmark):
    replay(benchmark, [0.5, 0.25, 1.0])
    note(benchmark)
"""
FAILS = TIMED + "    assert False\n"
FAILS_FIRST = """
def test_it(benchmark):
    assert 'this' == 'that'
"""


def session(
    folder: Path, text: str, *words: str, seconds: float = 0.001, middle: float = 1.0
) -> tuple[int, str]:
    """The benchmarks' own hooks on a file of one benchmark: its exit code, and what it printed."""
    (folder / "conftest.py").write_text(PLUGIN)
    (folder / "test_made_up.py").write_text(BEGIN + text)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")  # as the project's
    storage = f"--benchmark-storage=file://{folder / 'runs'}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *WITHOUT, storage, *words],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SECONDS": str(seconds),
            "MIDDLE": str(middle),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    return done.returncode, said


def stored(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs/*/*.json"))


def test_zero_benchmarks_are_no_pass(tmp_path: Path) -> None:
    for words in ([], [f"--benchmark-json={tmp_path / 'run.json'}"], ["--benchmark-compare"]):
        code, said = session(tmp_path, SKIPPED, *words)
        assert code == 2
        assert "error: zero benchmarks were run" in said
    assert not stored(tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_a_run_that_failed_is_nothing_to_compare_with(tmp_path: Path) -> None:
    code, said = session(tmp_path, FAILS, "--benchmark-compare")
    assert code == 1
    assert "a benchmark failed: nothing of this run is stored" in said
    assert not stored(tmp_path)
    for words in (["--benchmark-compare"], ["--benchmark-autosave"]):
        code, said = session(tmp_path, FAILS_FIRST, *words)
        assert code == 1
        assert "assert 'this'" in said  # why is still told
        assert not stored(tmp_path)


def test_a_benchmark_leaves_no_deterministic_algorithms_on(tmp_path: Path) -> None:
    """As one on a GPU turns them on; a CPU's counts are others then."""
    more = """
import torch

def test_first(benchmark):
    benchmark.pedantic(torch.use_deterministic_algorithms, args=(True,))
    note(benchmark)

def test_second(benchmark):
    assert not benchmark.pedantic(torch.are_deterministic_algorithms_enabled)
    note(benchmark)
"""
    code, said = session(tmp_path, more)
    assert code == 0, said


FORGETFUL = """
def test_without_fixture():
    pass

def test_without_call(benchmark):
    note(benchmark)

def test_without_surroundings(benchmark):
    benchmark(len, ())

def test_without_tokens(benchmark):
    benchmark(len, ())
    note(benchmark)
    benchmark.extra_info["steps"] = 7

def test_past_its_bound(benchmark):
    benchmark(len, ())
    note(benchmark, 1.5)
    ratios = benchmark.extra_info["ratios"]
    ratios["embedded-manual-observing"] = ratios["a-ratio"]
"""


def test_what_a_benchmark_forgets_is_an_error(tmp_path: Path) -> None:
    code, said = session(tmp_path, FORGETFUL, "--benchmark-autosave")
    assert code == 1
    assert "5 failed" in said
    assert said.count("\nnothing is timed: take the fixture `benchmark`, and call it") == 2
    for line in (
        "extra_info lacks device, peak_process_bytes, platform, threads, versions: update it with",
        "extra_info has steps and lacks padding_share, tokens: update it with",
        "PAST embedded-manual-observing: 1.5000 [1.4900, 1.5100], bound 1.4: an observed step",
    ):
        assert line in said
    assert not stored(tmp_path)


def test_a_file_without_a_benchmark_is_an_error(tmp_path: Path) -> None:
    """Its function has another name than a test's, and would never run."""
    code, said = session(tmp_path, "def time_it(benchmark):\n    pass\n")
    assert code == 2
    assert "error: test_made_up.py: holds no benchmark; name its function test_" in said


@pytest.mark.parametrize(
    "option",
    ["--benchmark-compare", pytest.param("--benchmark-autosave", marks=pytest.mark.slow)],
)
def test_no_benchmark_of_that_name_is_one_line(option: str, tmp_path: Path) -> None:
    code, said = session(tmp_path, TIMED, "-k", "nosuch", option)
    assert code == 2
    assert "error: no benchmark of that name" in said
    assert not stored(tmp_path)


def test_a_regression_is_one_line_and_ratios_are_told_beside_it(tmp_path: Path) -> None:
    code, _ = session(tmp_path, TIMED, "--benchmark-compare")
    assert code == 0
    code, said = session(tmp_path, TIMED, "--benchmark-compare", middle=1.015)
    assert code == 0
    assert "a-ratio: 1.0000 [0.9900, 1.0100] then, 1.0150 [1.0050, 1.0250] now: alike" in said
    fail = "--benchmark-compare-fail=mean:100%"
    code, said = session(tmp_path, TIMED, "--benchmark-compare", fail, seconds=0.05, middle=1.03)
    assert code == 1
    assert "error: Performance has regressed. See above" in said
    assert "1.0300 [1.0200, 1.0400] now: SLOWER" in said
    assert len(stored(tmp_path)) == 1


@pytest.mark.slow
def test_of_several_runs_of_that_name_the_last_is_taken(tmp_path: Path) -> None:
    for _ in range(2):
        session(tmp_path, TIMED, "--benchmark-autosave")
    first, _ = stored(tmp_path)
    first.write_text("{")
    code, said = session(tmp_path, TIMED, "--benchmark-compare=00")
    assert code == 0
    assert "(0002" in said
    assert "Failed to load" not in said
    code, said = session(tmp_path, TIMED, "--benchmark-compare")
    assert code == 0
    assert "(0002" in said


def test_times_measured_elsewhere_are_the_benchmarks_own(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert session(tmp_path, REPLAYED, f"--benchmark-json={file}")[0] == 0
    stats = json.loads(file.read_text())["benchmarks"][0]["stats"]
    assert (stats["min"], stats["median"], stats["max"], stats["rounds"]) == (0.25, 0.5, 1.0, 3)
    code, said = session(tmp_path, REPLAYED.replace("timer=replayed", ""))
    assert code == 1
    assert "the benchmark's timer isn't `replayed`" in said


def test_a_run_is_json_that_the_gate_can_read(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert session(tmp_path, TIMED, f"--benchmark-json={file}")[0] == 0
    (benchmark,) = json.loads(file.read_text())["benchmarks"]
    assert benchmark["extra_info"]["ratios"]["a-ratio"]["median"] == 1.0
