"""The turns, the bounds and the gate's answers, by planted numbers."""

import _thread
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gate, pair
from benchmarks.bounds.judge import judge
from benchmarks.bounds.read import FILE, Bound, Bounds, Exact, read_bounds
from benchmarks.results.stored_run import check_machine, machine_info, read_run
from benchmarks.timing import progress
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.turns import Participant, balanced, take_turns
from reference.errors import InputError
from tests.benchmarks.stopped import check_stopped
from tests.conftest import ROOT


@pytest.mark.parametrize("count", [2, 3, 6])
def test_each_takes_each_place_and_follows_each_equally_often(count: int) -> None:
    orders = balanced(count)
    for place in range(count):
        taken = [order[place] for order in orders]
        assert {taken.count(one) for one in range(count)} == {len(orders) // count}
    follows = [pair for order in orders for pair in pairwise(order)]
    assert len({follows.count(pair) for pair in follows}) == 1
    assert len(set(follows)) == count * (count - 1)


def test_turns_end_when_a_participant_fails() -> None:
    def fails(participant: Participant) -> None:
        participant.end_step()
        raise ValueError("planted")

    def goes_on(participant: Participant) -> None:
        for _ in range(3):
            participant.end_step()

    both = [Participant("fails", fails, 1), Participant("goes on", goes_on, 1)]
    with pytest.raises(ValueError, match="planted"):
        take_turns(both, 3)
    assert not any(p._thread.is_alive() for p in both)


def test_whoever_is_stopped_in_the_middle_takes_no_more_steps() -> None:
    steps: list[str] = []

    def trains(participant: Participant) -> None:
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        for step in range(50):
            if step == 2 and participant.name == "first":
                _thread.interrupt_main()  # Ctrl-C, while this one is within its step
                time.sleep(0.2)
            steps.append(participant.name)
            weight.grad = torch.ones(1)
            optimizer.step()

    both = [Participant(name, trains, 1) for name in ("first", "second")]
    with pytest.raises(KeyboardInterrupt):
        take_turns(both, 50)
    assert steps.count("first") == 3
    assert steps.count("second") in (2, 3)
    assert not any(p._thread.is_alive() for p in both)


# A gate whose measurement says that it has begun, and doesn't end.
SLOW = """
import pathlib, sys, time
from benchmarks import gate, measured

def measure(*_, **__):
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)

measured.measure = measure
sys.exit(gate.main(["embedded-manual-loop"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_gate_that_is_stopped_is_one_line(number: signal.Signals, tmp_path: Path) -> None:
    measuring = tmp_path / "measuring"
    (tmp_path / "slow.py").write_text(SLOW)
    check_stopped(
        [sys.executable, "-m", "slow", str(measuring)],
        measuring.exists,
        number,
        {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )


BOUND = Bound("embedded", "manual", "loop", 1.025, "a reason")
COUNT = Exact("manual", "reads", 42, "a reason")
NAME = "embedded-manual-loop"


def around(middle: float, half: float = 0.005) -> Ratio:
    return Ratio(middle, middle - half, middle + half, 24, 1008)


def test_past_is_where_the_whole_interval_is() -> None:
    bounds = Bounds((BOUND,), (COUNT,))
    assert judge(bounds, {NAME: around(1.028)}, {COUNT.name: 42}, around(1.0)).past == []
    outcome = judge(bounds, {NAME: around(1.031)}, {COUNT.name: 42}, around(1.0))
    assert outcome.past == [NAME]
    said = "\n".join(outcome.lines)
    assert "loop manual" in said
    assert "link loop" in said
    assert "bound 1.025" in said
    assert "A/A" in said
    assert judge(bounds, {NAME: around(1.0)}, {COUNT.name: 43}, around(1.0)).past == [COUNT.name]


def test_a_bound_is_higher_where_data_takes_longer() -> None:
    bound = Bound("embedded", "trainer", "loop", 1.025, "a reason", of_data=0.5)
    name = bound.name
    for data, at_most in ((1e-9, 1.025), (0.25, 1.125), (1.0, 1.275)):
        here = {"embedded-all-data": around(data, data / 10)}
        assert bound.at_most_here(here) == pytest.approx(at_most)
        for found, past in ((at_most + 0.004, []), (at_most + 0.006, [name])):
            outcome = judge(Bounds((bound,), ()), {**here, name: around(found)}, {}, None)
            assert outcome.past == past
            assert "embedded-all-data" in outcome.lines[0]
            assert f"bound {at_most:.4g}" in outcome.lines[1]
            assert outcome.ratios[name]["at_most"] == pytest.approx(at_most)


def test_a_count_below_its_bound_is_said_to_be() -> None:
    for count, said in ((41, ": fewer; lower the bound"), (42, "")):
        outcome = judge(Bounds((), (COUNT,)), {}, {COUNT.name: count}, None)
        assert outcome.past == []
        assert outcome.lines == [f"ok   embedded: loop manual, reads: {count}, bound 42{said}"]


def test_a_noisy_machine_is_said_to_be() -> None:
    said = judge(Bounds((BOUND,), ()), {NAME: around(1.0)}, {}, around(1.0, 0.02)).lines
    assert any("a noisy machine" in line for line in said)


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


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(InputError, match="1 of 2 benchmarks"):
        judge(Bounds((BOUND,), (COUNT,)), {NAME: around(1.0)}, {}, around(1.0))
    with pytest.raises(InputError):
        judge(Bounds((), ()), {}, {}, None)


def test_the_bounds_have_reasons() -> None:
    bounds = read_bounds()
    assert {b.loop for b in bounds.ratios} == {"all", "manual", "accelerated", "trainer"}
    assert all(len(b.reason) > 10 for b in (*bounds.ratios, *bounds.exact))


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
            "field of_data: just for the link loop",
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
        ('{"machine_info": {}, "benchmarks": [{"extra_info": {}}]}', "none of its benchmarks"),
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
