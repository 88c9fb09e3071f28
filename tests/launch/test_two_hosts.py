"""Two machines: the same run as two processes on one, and the end of it when one of them fails."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import Popen

import pytest

from reference.diff.ledgers import diff
from reference.process.ports import free_port
from reference.process.workers import Starter, stop
from tests.conftest import ROOT, write_mrpc
from tests.helpers.open_files import writer_of
from tests.helpers.ranks import run_ranks
from tests.helpers.two_hosts import Host, two_hosts
from tests.helpers.waiting import LIMIT, wait_until

SHORT = ["accelerated", "--device", "cpu", "--max-steps", "2"]


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Host, Host]]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with two_hosts() as both:
        yield both


def launch(hosts: Sequence[Host], folder: Path, words: Sequence[str]) -> list[Popen[bytes]]:
    """The same command on both, each in a folder of its own; without a word of the network."""
    port = str(free_port())
    processes = []
    for rank, host in enumerate(hosts):
        own = folder / str(rank)
        own.mkdir()
        command = [sys.executable, "-m", "reference", "launch", "--machine-rank", str(rank)]
        command += ["--main-process-ip", hosts[0].address, "--main-process-port", port]
        command += ["cpu-machines-2", "train", *words]
        processes.append(host.start(command, own, folder / f"{rank}.log"))
    return processes


def logs(folder: Path) -> list[str]:
    return [(folder / f"{rank}.log").read_text() for rank in (0, 1)]


def test_each_machine_takes_the_network_by_which_it_reaches_the_first(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    """gloo would take the loopback device, and look for the other one in itself."""
    words = f"import reference.run.meeting as m; print(m.interface_to({hosts[0].address!r}))"
    for rank, host in enumerate(hosts):
        log = tmp_path / f"{rank}.log"
        assert host.start([sys.executable, "-c", words], tmp_path, log).wait(LIMIT) == 0
        assert log.read_text() == "cable\n"


@pytest.mark.slow
def test_two_machines_are_the_run_of_one(
    hosts: tuple[Host, Host], start: Starter, tmp_path: Path
) -> None:
    """Each keeps its rank's ledger in a folder of the name that rank 0's machine has chosen."""
    data = str(write_mrpc(tmp_path / "data", 16, 8))
    processes = launch(hosts, tmp_path, [*SHORT, "--data", data])
    try:
        codes = [process.wait(LIMIT) for process in processes]
    finally:
        stop(processes)
    assert codes == [0, 0], logs(tmp_path)
    (first,), (second,) = ([*(tmp_path / str(rank) / "runs").iterdir()] for rank in (0, 1))
    assert first.name == second.name
    for said in logs(tmp_path):
        assert f"run: runs/{first.name}" in said.splitlines()
    (second / "ledger-1.jsonl").rename(first / "ledger-1.jsonl")
    one_host = run_ranks(start, tmp_path / "one", 2, [*SHORT, "--data", data]).folder / "run"
    verdict = diff(first, one_host)
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "rank 1 is gone: its process was killed, or its machine is cut off"),
        (signal.SIGSTOP, "rank 1 hasn't been heard of for 25 s"),
    ],
)
def test_a_process_that_fails_on_the_other_machine_is_named(
    number: signal.Signals, said: str, hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    run = tmp_path / "run"  # on a disk that they share
    processes = launch(hosts, tmp_path, ["accelerated", "--run-dir", str(run)])
    try:
        ledger = run / "ledger-1.jsonl"
        wait_until(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") > 5, "5 steps")
        os.kill(writer_of(ledger), number)
        assert processes[0].wait(LIMIT) == 3
    finally:
        stop(processes)
    (line,) = [line for line in logs(tmp_path)[0].splitlines() if "error" in line]
    assert line.startswith(f"reference: error: rank 0: {said}")
