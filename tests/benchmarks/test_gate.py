"""The turns, the bounds and the gate's answers, by planted numbers."""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gate, pair
from benchmarks.bounds.judge import judge
from benchmarks.bounds.read import FILE, Bounds, Exact, read_bounds
from benchmarks.results.stored_run import check_machine, machine_info, read_run
from benchmarks.timing import progress
from benchmarks.timing.paired_ratio import Ratio
from reference.errors import InputError
from tests.benchmarks.made_up import around
from tests.benchmarks.stopped import check_stopped
from tests.conftest import ROOT

# A gate whose measurement says that it has begun, and doesn't end.
SLOW = """
import pathlib, sys, time
from benchmarks import gate
from benchmarks.timing import rounds

def measure(*_, **__):
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)

rounds.measure = measure
sys.exit(gate.main(["embedded-manual-loop"]))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_gate_that_is_stopped_is_one_line(number: signal.Signals, tmp_path: Path) -> None:
    measuring = tmp_path / "measuring"
    (tmp_path / "slow.py").write_text(SLOW)
    check_stopped(
        [sys.executable, "-m", "slow", str(measuring)],
        measuring.exists,
        number,
        {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )


NAME = "embedded-manual-loop"


def test_a_bound_on_a_device_is_held_there_and_counted_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_cuda = Exact("manual", "kernel_launches", 300, "a reason", "cuda")
    on_cpu = Exact("manual", "operators", 2048, "a reason")
    assert on_cuda.name == "manual-kernel_launches-cuda"
    both = Bounds((), (on_cpu, on_cuda))
    counts = {on_cuda.name: 301}
    assert judge(both, {}, counts, None, "cuda").past == [on_cuda.name]
    file = tmp_path / "bounds.toml"
    row = '\n[[exact]]\nloop = "manual"\nfigure = "operators"\nreason = "a reason"\n'
    file.write_text(FILE.read_text() + row + 'at_most = 9\ndevice = "cuda"\n')
    assert gate.main(["--bounds", str(file), "--run", str(stored(tmp_path))]) == 0
    more = sum(b.device == "cuda" for b in read_bounds().exact) + 1
    assert f", {more} counts on a GPU (tox -e gpu) (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "version"),
        ("version = 2", "version"),
        ("version = 1", "no bound"),
        ("version = 1\n[[ratios]]\n", "unknown table 'ratios'"),
        ("version = 1\n[[ratio]]\nloop = 'manual'\n", "ratio 1: field checkpoint is missing"),
        ("version = [", "can't be read as TOML"),
        (
            "version = 1\n[[exact]]\nloop = 'manual'\nfigure = 'reads'\nat_most = 1.5\n"
            "reason = 'x'\n",
            "field at_most",
        ),
        (
            "version = 1\n[[ratio]]\ncheckpoint = 'minilm'\nloop = 'manual'\nlink = 'step'\n"
            "at_most = 1.5\nof_data = 0.5\nreason = 'x'\n",
            "field of_data: is for the link loop alone",
        ),
    ],
)
def test_wrong_bounds_are_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("--bounds", tmp_path / "bounds.toml", text, says, capsys)


def refused(
    option: str, file: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gate names the file and what is wrong, in one line, and ends with 2."""
    file.write_text(text)
    assert gate.main([option, str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert str(file) in line


def rows() -> dict[str, Any]:
    """Ratios just below their bounds, on a machine whose data takes no time."""
    found = {b.name: asdict(around(b.at_most - 0.01, 0.001)) for b in read_bounds().ratios}
    return {**found, "embedded-all-data": asdict(Ratio(1e-9, 1e-9, 1e-9, 24, 1008))}


def stored(folder: Path, **changes: Any) -> Path:
    bounds = read_bounds()
    extra = {
        "checkpoint": "embedded",
        "ratios": rows(),
        "noise": asdict(around(1.0, 0.002)),
        "counts": {b.name: b.at_most for b in bounds.exact if b.device == "cpu"},
    }
    extra.update(changes)
    file = folder / "run.json"
    run = {"machine_info": machine_info(), "benchmarks": [{"extra_info": extra}]}
    file.write_text(json.dumps(run))
    return file


def test_a_stored_run_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["--run", str(stored(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "A/A: bare step / bare step 1.0000 [0.9980, 1.0020], within 1%" in said
    elsewhere = [b.name for b in read_bounds().ratios if not b.in_gate]
    on_gpu = sum(b.device == "cuda" for b in read_bounds().exact)
    listed = f"{', '.join(elsewhere)}, {on_gpu} counts on a GPU (tox -e gpu)"
    assert f"; not measured here: {listed} (" in said
    assert "minilm-manual-step" in elsewhere
    # Another checkpoint's A/A says nothing of these.
    assert gate.main(["--run", str(stored(tmp_path, checkpoint="minilm"))]) == 0
    assert "A/A" not in capsys.readouterr().out
    slow = {NAME: asdict(around(1.05))}
    assert gate.main(["--run", str(stored(tmp_path, ratios={**rows(), **slow}))]) == 1
    assert f"failed: {NAME}" in capsys.readouterr().out
    lacks = {name: row for name, row in rows().items() if name != "embedded-all-data"}
    assert gate.main(["--run", str(stored(tmp_path, ratios=lacks))]) == 2
    held = [b for b in read_bounds().ratios if b.in_gate]
    counts = [b for b in read_bounds().exact if b.device == "cpu"]
    wanted = 1 + len(held) + len(counts)
    said = f"{wanted - 1} of {wanted} benchmarks were measured; embedded-all-data is missing"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "damaged"),
        (100_000 * "[", "damaged"),
        ("[]", "not a run of pytest-benchmark"),
        ('{"machine_info": {}, "benchmarks": []}', "zero benchmarks"),
        ('{"machine_info": {}, "benchmarks": [{}]}', "no extra_info"),
        (
            '{"machine_info": {}, "benchmarks": [{"extra_info": {}}]}',
            "none of its benchmarks has",
        ),
        ('{"machine_info": {"cpu": 1}, "benchmarks": [{"extra_info": {}}]}', "machine_info.cpu: 1"),
        (
            '{"machine_info": {}, "benchmarks": [{"extra_info": {"ratios": []}}]}',
            "extra_info.ratios",
        ),
    ],
)
def test_a_foreign_or_damaged_run_is_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("--run", tmp_path / "run.json", text, says, capsys)


def test_fewer_benchmarks_than_bounds_is_no_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate.main(["--run", str(stored(tmp_path, counts={}))]) == 2
    assert "benchmarks were measured" in capsys.readouterr().err


def test_a_name_that_doesnt_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["embedded-manual-lop"]) == 2
    assert "embedded-manual-loop" in capsys.readouterr().err
    assert gate.main(["all-padded", "minilm-manual-step"]) == 2
    assert "minilm-manual-step: isn't measured here" in capsys.readouterr().err
    for words in ([], ["--run", "run.json"]):
        assert gate.main(["minilm-manual-observing", *words]) == 2
        assert "`python -m pytest benchmarks -k observing` does it" in capsys.readouterr().err


def test_too_few_cores_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "CORES", 1000)
    for command in (lambda: gate.main([]), lambda: pair.main(["manual"])):
        assert command() == 2
        assert "this needs 1000" in capsys.readouterr().err


def test_another_machines_run_is_told(tmp_path: Path) -> None:
    file = stored(tmp_path)
    run = read_run(file)
    check_machine(file, run)
    run["machine_info"]["cpu"]["brand_raw"] = "another"
    with pytest.raises(InputError, match="another machine's run"):
        check_machine(file, run)
    file.write_text(json.dumps(run))
    assert gate.main(["--run", str(file)]) == 2
