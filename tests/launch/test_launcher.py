"""`launch` from its command to its end; and what it says of a process that fails."""

import os
import signal
import socket
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from reference.cli.main import main
from reference.launch import launcher
from reference.launch.configuration import Configuration
from reference.launch.launcher import launch
from reference.ledger.reader import read_ledger
from reference.lesson.recipe import Recipe
from reference.process.workers import Starter, WorkerDied
from tests.conftest import write_mrpc
from tests.helpers.open_files import writer_of
from tests.helpers.waiting import wait_until

TRAIN = ["train", "accelerated", "--max-steps", "2", "--dropout", "0"]


@pytest.fixture
def forked(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes are forked from one that is there, and needn't be made for each test."""
    monkeypatch.setattr(launcher, "starter", lambda _: nullcontext(start))


@pytest.mark.usefixtures("forked")
def test_as_many_train_as_were_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_mrpc(tmp_path / "data", 16, 8)
    run = tmp_path / "run"
    words = [*TRAIN, "--data", str(data), "--run-dir", str(run)]
    assert main(["launch", "cpu-2", *words]) == 0
    said = capsys.readouterr().out
    assert "accelerated" in said
    assert said.splitlines()[-2:] == [f"run: {run}", f"model: {run / 'model'}"]
    ledgers = [read_ledger(run / name) for name in ("ledger.jsonl", "ledger-1.jsonl")]
    assert [ledger.header["rank"] for ledger in ledgers] == [0, 1]
    assert [ledger.header["world_size"] for ledger in ledgers] == [2, 2]
    assert [len(ledger.steps) for ledger in ledgers] == [2, 2]


def test_a_restart_of_torchrun_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under `observe`: what was begun before it stays."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger.jsonl").touch()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    data = write_mrpc(tmp_path / "data", 16, 8)
    words = ["train", "manual", "--max-steps", "1", "--device", "cpu", "--data", str(data)]
    assert main([*words, "--run-dir", str(tmp_path / "run")]) == 0
    assert read_ledger(tmp_path / "run-restart1" / "ledger.jsonl").end["complete"]


def test_a_port_in_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = [*TRAIN, "--run-dir", str(tmp_path / "run")]
        assert main(["launch", "--main-process-port", str(port), "cpu-2", *words]) == 2
    assert f"main_process_port: {port} can't be used" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_machine_with_fewer_gpus_than_processes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before any process is started, for the configurations that ask for GPUs alone."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, here in (("gpu-2", 2), ("gpu-8", 8), ("bf16-gpu-2", 2), ("machines-2", 2)):
        assert main(["launch", name, *TRAIN]) == 2
        said = capsys.readouterr().err
        assert f"{name}: {here} processes on this machine, a GPU each, and it has 1" in said
        assert said.count("\n") == 1


def _ended_by(number: signal.Signals, run: Path) -> BaseException:
    """Train on two processes and, in the middle, send the signal to the one of rank 1."""

    def strike() -> None:
        ledger = run / "ledger-1.jsonl"
        wait_until(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") > 5, "5 steps")
        os.kill(writer_of(ledger), number)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        with pytest.raises(Exception, match="rank 1") as said:
            launch(
                Configuration(num_processes=2, use_cpu=True),
                Recipe(device="cpu"),
                "accelerated",
                ["train", "accelerated", "--device", "cpu"],
                run,
            )
    finally:
        thread.join()
    return said.value


@pytest.mark.slow
def test_a_killed_process_is_named(tmp_path: Path) -> None:
    said = _ended_by(signal.SIGKILL, tmp_path / "run")
    assert isinstance(said, WorkerDied)
    assert str(said) == "rank 1 was killed by SIGKILL; the others were stopped"


@pytest.mark.slow
def test_a_stopped_process_is_named(tmp_path: Path) -> None:
    said = str(_ended_by(signal.SIGSTOP, tmp_path / "run"))
    assert said.startswith("rank 0: rank 1 hasn't been heard of for 25 s")
