"""Several processes of one launch: a ledger each, in one folder; and how they find it."""

from pathlib import Path

import pytest

from reference.errors import InputError
from reference.ledger.record import read_ledger
from reference.observe.script.launcher import Launch, default_folder, launched, take_folder
from tests.helpers.observing import SCRIPTS, python
from tests.helpers.refusal import refusal, says

PROGRAM = {"script": "train.py", "argv": [], "sha256": None}


def test_two_processes(tmp_path: Path) -> None:
    """As `accelerate launch` starts them, too: it hands over to torchrun."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29633"]
    run = ["-m", "reference", "observe", SCRIPTS / "nlp_accelerate.py", "--cpu"]
    result = python(*launch, *run, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("steps observed") == 1
    (folder,) = (tmp_path / "runs").iterdir()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["ledger-1.jsonl", "ledger.jsonl", "program.json"]
    first, second = (read_ledger(folder / name) for name in ("ledger.jsonl", "ledger-1.jsonl"))
    assert [ledger.header["rank"] for ledger in (first, second)] == [0, 1]
    assert len(first.steps) == len(second.steps) == 4
    for a, b in zip(first.steps, second.steps, strict=True):
        assert a["batch"] != b["batch"]
        assert a["clip"]["hash"] == b["clip"]["hash"]  # the gradients were averaged
        assert a["update"]["hash"] == b["update"]["hash"]
    assert first.evaluations[-1]["metrics"]["scores"]


@pytest.mark.slow
def test_accelerate_launch(tmp_path: Path) -> None:
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    run = ["-m", "reference", "observe", "--run-dir", "run", SCRIPTS / "nlp_accelerate.py", "--cpu"]
    result = python(*launch, "--main_process_port", "29634", *run, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("ledger.jsonl", "ledger-1.jsonl"):
        assert len(read_ledger(tmp_path / "run" / name).steps) == 4


def test_a_place_in_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert (launched().rank, launched().world_size) == (0, 1)
    assert launched().ledger_file == "ledger.jsonl"
    monkeypatch.setenv("RANK", "1")
    says(refusal(launched), "RANK: 1 of WORLD_SIZE 1")
    monkeypatch.setenv("WORLD_SIZE", "two")
    says(refusal(launched), "WORLD_SIZE: 'two' is not a number")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_PORT", "29500")
    second = launched()
    assert second.ledger_file == "ledger-1.jsonl"
    monkeypatch.setenv("RANK", "0")
    assert default_folder("train", launched()) == default_folder("train", second)
    assert launched().name == second.name


def test_the_others_wait_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference.observe.script.launcher.PATIENCE", 0.2)
    first, second = Launch(0, 2, "a launch"), Launch(1, 2, "a launch")
    folder = tmp_path / "run"
    says(refusal(lambda: take_folder(folder, PROGRAM, second)), "run: rank 0 hasn't made it")
    assert take_folder(folder, PROGRAM, first) == take_folder(folder, PROGRAM, second) == folder
    with pytest.raises(InputError, match="holds another run"):
        take_folder(folder, PROGRAM, first)
    later = Launch(1, 2, "another launch")
    says(refusal(lambda: take_folder(folder, PROGRAM, later)), "rank 0 hasn't made it")
