"""Several processes of one launch: a ledger each, in one folder; and how they find it."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from reference.errors import InputError
from reference.ledger.reader import has_end, read_ledger
from reference.observe.script.launcher import (
    LAUNCHERS,
    OF_ITS_NAME,
    OF_ONE_LAUNCH,
    Launch,
    launched,
)
from reference.observe.script.shared_folder import folder_of, take_folder
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


def test_a_restart_an_idle_rank_and_one_that_drifts(tmp_path: Path) -> None:
    """None of them ends the run: it saves what it would have saved, and torchrun ends with 0."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "3", "--master_port", "29635"]
    launch += ["--max-restarts", "1", "--monitor-interval", "0.1"]
    run = ["-m", "reference", "observe", "--run-dir", "run", SCRIPTS / "three_ranks.py"]
    result = python(*launch, *run, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "saved.pt").exists()
    folder = tmp_path / "run-restart1"  # the first start ended before its first step
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["ledger-1.jsonl", "ledger-2.jsonl", "ledger.jsonl", "program.json"]
    assert "three_ranks.py, rank 2: no optimizer step was seen" in result.stderr
    said = "reference: rank 1 parts from rank 0 at step 1, link schedule: next_learning_rate: 0.1"
    assert result.stderr.count(said) == 1
    assert f"see python -m reference diff {folder}" in result.stderr


@pytest.mark.slow
def test_accelerate_launch(tmp_path: Path) -> None:
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    run = ["-m", "reference", "observe", "--run-dir", "run", SCRIPTS / "nlp_accelerate.py", "--cpu"]
    result = python(*launch, "--main_process_port", "29634", *run, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("ledger.jsonl", "ledger-1.jsonl"):
        assert len(read_ledger(tmp_path / "run" / name).steps) == 4


def test_the_end_of_a_ledger_is_seen_without_reading_it(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    header, end = b'{"kind":"header","schema":3}\n', b'{"kind":"end","complete":true,"steps":0'
    for more in (b"", b',"weights":"' + b"0" * 100_000 + b'"'):
        ledger.write_bytes(header + end + more + b"}\n")
        assert has_end(ledger)
        ledger.write_bytes(header + end + more)  # being written
        assert not has_end(ledger)
    for text in (b"", header, end):
        ledger.write_bytes(text)
        assert not has_end(ledger)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Launch]:
    """This process's place in its launch, by the variables that are given alone."""
    every = {*chain(*LAUNCHERS, *OF_ONE_LAUNCH, OF_ITS_NAME)} - {""}

    def launch(**variables: object) -> Launch:
        for name in every:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        return launched()

    return launch


def test_a_place_in_a_launch(
    launcher: Callable[..., Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher()
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
    assert folder_of(None, "train", launched()) == folder_of(None, "train", second)
    assert launched().name == second.name


OMPI = "OMPI_COMM_WORLD_"


@pytest.mark.parametrize(
    ("variables", "rank", "world_size"),
    [
        ({OMPI + "RANK": 1, OMPI + "SIZE": 2}, 1, 2),
        ({"PMI_RANK": 2, "PMI_SIZE": 3}, 2, 3),
        ({"SLURM_PROCID": 1, "SLURM_NTASKS": 4, "SLURM_STEP_ID": 0}, 1, 4),
        # A batch script, which has not called srun, is no process of a launch.
        ({"SLURM_PROCID": 0, "SLURM_NTASKS": 4}, 0, 1),
        # torchrun that was itself started by srun, once a host.
        ({"RANK": 3, "WORLD_SIZE": 4, "SLURM_PROCID": 1, "SLURM_NTASKS": 2}, 3, 4),
    ],
    ids=["mpirun", "mpiexec", "srun", "sbatch", "srun torchrun"],
)
def test_each_launcher_says_the_rank_in_its_own_words(
    variables: dict[str, int], rank: int, world_size: int, launcher: Callable[..., Launch]
) -> None:
    launch = launcher(**variables)
    assert (launch.rank, launch.world_size) == (rank, world_size)


def test_a_rank_that_makes_no_sense_is_named_as_its_launcher_names_it(
    launcher: Callable[..., Launch],
) -> None:
    wrong = {OMPI + "RANK": 2, OMPI + "SIZE": 2}
    says(refusal(lambda: launcher(**wrong)), "OMPI_COMM_WORLD_RANK: 2 of OMPI_COMM_WORLD_SIZE 2")


def test_a_restart_has_a_folder_of_its_own(tmp_path: Path, launcher: Callable[..., Launch]) -> None:
    torchrun = {"RANK": 0, "WORLD_SIZE": 2, "MASTER_PORT": 29500}
    first = launcher(**torchrun, TORCHELASTIC_RESTART_COUNT=0)
    again = launcher(**torchrun, TORCHELASTIC_RESTART_COUNT=1)
    run = tmp_path / "run"
    assert folder_of(run, "train", first) == run
    assert folder_of(run, "train", again) == tmp_path / "run-restart1"
    assert folder_of(None, "train", again).name.endswith("-restart1")
    for launch in (first, again):
        take_folder(folder_of(run, "train", launch), PROGRAM, launch)


HOSTS = {"MASTER_ADDR": "one", "MASTER_PORT": 29500, "WORLD_SIZE": 4, "LOCAL_WORLD_SIZE": 2}


def test_hosts_without_a_common_disk_have_a_folder_each(
    tmp_path: Path, launcher: Callable[..., Launch]
) -> None:
    """Nobody waits for a process of another host; on a disk that they share it is one folder."""
    first = launcher(**HOSTS, RANK=0, LOCAL_RANK=0)
    third, fourth = (launcher(**HOSTS, RANK=2 + i, LOCAL_RANK=i) for i in (0, 1))
    one, other = tmp_path / "one", tmp_path / "other"
    for host, launches in ((one, [first]), (other, [third, fourth])):
        for launch in launches:
            assert take_folder(host / "run", PROGRAM, launch) == host / "run"
    shared = tmp_path / "shared"
    for launch in (third, first, fourth):  # the other host was faster
        take_folder(shared, PROGRAM, launch)


def test_a_folder_of_an_earlier_launch_is_not_shared_with_it(
    tmp_path: Path, launcher: Callable[..., Launch]
) -> None:
    """Also where the same command, with all its variables, is launched once more."""
    first = launcher(**HOSTS, RANK=0, LOCAL_RANK=0)
    take_folder(tmp_path / "run", PROGRAM, first)
    (tmp_path / "run" / "ledger.jsonl").touch()
    other = launcher(**{**HOSTS, "MASTER_PORT": 29501}, RANK=2, LOCAL_RANK=0)
    for launch in (first, other):
        with pytest.raises(InputError, match="holds another run"):
            take_folder(tmp_path / "run", PROGRAM, launch)


def test_hosts_name_their_folders_apart(
    launcher: Callable[..., Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    launches = [launcher(**HOSTS, RANK=rank, LOCAL_RANK=rank % 2) for rank in range(4)]
    names = []
    for rank, launch in enumerate(launches):
        monkeypatch.setattr("platform.node", lambda rank=rank: f"host{rank // 2}")
        names.append(folder_of(None, "train", launch).name)
    assert names[0] == names[1] != names[2] == names[3]
    assert "host0" in names[0]
    srun = {"SLURM_NTASKS": 2, "SLURM_NNODES": 2, "SLURM_JOB_ID": 77, "SLURM_STEP_ID": 1}
    launch = launcher(**srun, SLURM_PROCID=1, SLURM_LOCALID=0)
    assert launch.is_first_of_host
    assert folder_of(None, "train", launch).name == "train-0-host1-77-1"


def test_the_others_wait_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference.observe.script.shared_folder.PATIENCE", 0.2)
    first, second = Launch(0, 2, "a launch"), Launch(1, 2, "a launch")
    folder = tmp_path / "run"
    says(refusal(lambda: take_folder(folder, PROGRAM, second)), "run: rank 0 hasn't made it")
    assert take_folder(folder, PROGRAM, first) == take_folder(folder, PROGRAM, second) == folder
    with pytest.raises(InputError, match="holds another run"):
        take_folder(folder, PROGRAM, first)
    later = Launch(1, 2, "another launch")
    says(refusal(lambda: take_folder(folder, PROGRAM, later)), "rank 0 hasn't made it")
