"""Processes that mpirun or srun launched: they have torchrun's variables before torch looks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference.diff.ledgers import diff
from reference.observe.script.launcher import LAUNCHERS, launched
from reference.process.workers import Starter
from reference.run.meeting import INTERFACE, take_network, take_place
from tests.conftest import ROOT, write_mrpc
from tests.helpers.ranks import processes, run_ranks
from tests.helpers.refusal import refusal, says
from tests.helpers.waiting import LIMIT

MPIRUN = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "PMIX_NAMESPACE": "prterun-a-host-4711@1",
}
SRUN = {
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "2",
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "0",
}
PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*PLACE, INTERFACE, *(each for names in LAUNCHERS for each in names)} - {""}:
        monkeypatch.delenv(name, raising=False)


def place(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    take_place(launched())
    return [os.environ[name] for name in PLACE]


def test_mpirun_s_place_is_said_as_torchrun_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    *rank, address, port = place(monkeypatch, MPIRUN)
    assert rank == ["1", "2", "1", "2"]
    assert address == "127.0.0.1"
    for name in PLACE:
        monkeypatch.delenv(name)
    first = {**MPIRUN, "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
    assert place(monkeypatch, first)[-1] == port  # which both came to by themselves


def test_several_hosts_need_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    says(refusal(lambda: place(monkeypatch, SRUN)), "MASTER_ADDR, MASTER_PORT: missing", "srun")
    there = {"MASTER_ADDR": "192.0.2.1", "MASTER_PORT": "29500"}
    assert place(monkeypatch, SRUN | there) == ["3", "4", "1", "2", "192.0.2.1", "29500"]


def test_what_torchrun_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun = dict(zip(PLACE, ["3", "4", "1", "2", "192.0.2.1", "29500"], strict=True))
    assert place(monkeypatch, MPIRUN | torchrun) == list(torchrun.values())


def test_one_process_gets_no_place() -> None:
    take_place(launched())
    assert "RANK" not in os.environ


def test_a_network_that_somebody_chose_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    place(monkeypatch, SRUN | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"})
    monkeypatch.setenv(INTERFACE, "mine")
    take_network(launched())
    assert os.environ[INTERFACE] == "mine"
    monkeypatch.delenv(INTERFACE)
    take_network(launched())
    assert os.environ[INTERFACE] == "lo"


@pytest.fixture
def start() -> Iterator[Starter]:
    with processes() as starter:
        yield starter


@pytest.mark.slow
def test_the_lesson_under_mpirun(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an mpirun: two processes with its variables alone."""
    words = ["accelerated", "--device", "cpu", "--max-steps", "2"]
    words += ["--data", str(write_mrpc(tmp_path / "data", 16, 8))]
    run = tmp_path / "run"
    command = [sys.executable, "-m", "reference", "train", *words, "--run-dir", str(run)]
    both = []
    for rank in ("0", "1"):
        own = {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": rank}
        environment = {**os.environ, **MPIRUN, **own, "OMP_NUM_THREADS": "1"}
        both.append(subprocess.Popen(command, cwd=ROOT, env=environment))
    assert [process.wait(LIMIT) for process in both] == [0, 0]
    verdict = diff(run, run_ranks(start, tmp_path / "torchrun", 2, words).folder / "run")
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, 2)
