"""Several processes of one launch: which one this is, and the folder that they share.

    accelerate launch --num_processes 2 -m reference observe --run-dir mine train.py

Nothing of torch.distributed: only the variables that the launchers set.

The folder is the one of `--run-dir`, or a new one under `runs/`. torchrun's restart number 1 gets
one beside it, with `-restart1` at its name's end. Hosts that share no disk have a folder each.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE, Record, has_end
from reference.process.run_folder import RUNS, clear_run_dir, default_run_dir, make_run_dir
from reference.process.whole_files import write_json

PROGRAM_FILE = "program.json"
PROGRAM_VERSION = 1
OTHERS_END = 10.0  # seconds for the others to end, after rank 0 has: for them to be held together
PATIENCE = 60.0  # seconds for another process to make the folder, before it runs the program


class _Variables(NamedTuple):
    """Where a launcher says which process one is."""

    rank: str
    world_size: str
    local_rank: str  # among those of its host
    local_world_size: str
    nodes: str = ""  # how many hosts there are, where nobody counts the processes of one
    only_with: str = ""  # without this one they say nothing


# The first of which the rank is set counts: torchrun may itself be started by srun or mpirun.
LAUNCHERS = (
    _Variables("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    _Variables(
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    _Variables("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    # A batch script has a rank, too, before it calls srun: only a step's processes are a launch.
    _Variables(
        "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "", "SLURM_NNODES", "SLURM_STEP_ID"
    ),
)
# What all processes of a launch have in common, and no other launch has. torchrun's own
# TORCHELASTIC_RUN_ID is none of these: it is `none` unless somebody gives it.
OF_ONE_LAUNCH = (("SLURM_JOB_ID", "SLURM_STEP_ID"), ("PMIX_NAMESPACE",))
OF_ITS_NAME = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")


@dataclass(frozen=True)
class Launch:
    """One process of a launch.

    Attributes:
        rank: From 0.
        world_size: How many processes there are.
        name: All of them know it.
        restarts: How many times the launcher has begun anew.
        local_rank: Its number among those of its host; None where nobody says.
        hosts: Whether there are several hosts.
    """

    rank: int
    world_size: int
    name: str
    restarts: int = 0
    local_rank: int | None = None
    hosts: bool = False

    @property
    def ledger_file(self) -> str:
        """The name of this process's ledger in the folder."""
        return LEDGER_FILE if self.rank == 0 else f"ledger-{self.rank}.jsonl"

    @property
    def is_first_of_host(self) -> bool:
        """Whether this process makes the folder: rank 0, and the first one of each other host."""
        return self.rank == 0 or (self.hosts and self.local_rank == 0)


def launched() -> Launch:
    """This process's place in its launch; the only one where there is no launcher.

    Raises:
        InputError: where a launcher's variables (RANK and WORLD_SIZE, say) aren't such numbers.
    """
    names = next((names for names in LAUNCHERS if _speaks(names)), LAUNCHERS[0])
    world_size = _number(names.world_size, 1)
    rank = _number(names.rank, 0)
    if not 0 <= rank < world_size:
        raise InputError(f"{names.rank}: {rank} of {names.world_size} {world_size}; launch it anew")
    given = [os.environ.get(name, "-") for name in OF_ITS_NAME]
    words = [f"{world_size} processes", *given, *_name_of_launch()]
    local_rank = _number(names.local_rank, -1)
    return Launch(
        rank,
        world_size,
        " ".join(words),
        restarts=_number("TORCHELASTIC_RESTART_COUNT", 0),
        local_rank=None if local_rank < 0 else local_rank,
        hosts=_number(names.local_world_size, world_size) < world_size
        or _number(names.nodes, 1) > 1,
    )


def _speaks(names: _Variables) -> bool:
    return bool(os.environ.get(names.rank)) and (
        not names.only_with or names.only_with in os.environ
    )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise InputError(f"{name}: {text!r} is not a number; launch it anew") from None


def _name_of_launch() -> list[str]:
    """What tells this launch from all others, in words; empty where only its parent does."""
    for names in OF_ONE_LAUNCH:
        if all(os.environ.get(name) for name in names):
            return [os.environ[name] for name in names]
    return []


def folder_of(run_dir: Path | None, what: str, launch: Launch) -> Path:
    """The folder's name: the same in all processes of a launch that could share it.

    Without `run_dir` it is new, and under `runs/`. Its launcher is the parent of all processes of
    a host: its process number and the port on which they meet name it, and the host, where there
    are several.

    Args:
        run_dir: as it was asked for, if it was.
        what: the program's name.
        launch: which process this one is.
    """
    restarted = f"-restart{launch.restarts}" if launch.restarts else ""
    if run_dir is not None:
        return run_dir.with_name(run_dir.name + restarted) if restarted else run_dir
    if launch.world_size == 1:
        return default_run_dir(what)
    port = os.environ.get("MASTER_PORT", "0")
    own = _name_of_launch() or [str(os.getppid())]
    host = [platform.node()] if launch.hosts else []
    words = "-".join([what, port, *host, *own])
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in words)
    return RUNS / (plain + restarted)


def take_folder(folder: Path, program: Record, launch: Launch) -> Path:
    """The run's folder: made by the first process of each host, waited for by the others.

    Hosts may share the disk, or not: where another host's process has made the folder for this
    launch, it is there for this one, too.

    Args:
        folder: as `folder_of` names it.
        program: as `program_record` makes it, for `program.json`.
        launch: which process this one is.

    Returns:
        Its absolute path.

    Raises:
        InputError: where it holds another run, can't be made or written, or isn't there after
            PATIENCE.
    """
    path = folder.absolute()  # the program may change directory
    if not launch.is_first_of_host:
        _wait_for(folder, path, launch)
        return path
    try:
        new = make_run_dir(path, first=PROGRAM_FILE)
    except InputError as error:
        if not launch.hosts or (path / launch.ledger_file).exists():
            raise
        # Another host's process may be just about to name its launch in it.
        _wait_until(lambda: _launch_of(path / PROGRAM_FILE) is not None, or_else=error)
        if _launch_of(path / PROGRAM_FILE) != launch.name:
            raise
        return path
    record = {"version": PROGRAM_VERSION, **program, "launch": launch.name}
    try:
        write_json(path / PROGRAM_FILE, record)
    except OSError as error:  # before the program begins: nobody's training is lost by refusing it
        clear_run_dir(path, new=new)
        raise InputError(
            f"{folder}: can't be written ({error.strerror}); free some space, or give another "
            "--run-dir"
        ) from None
    return path


def _wait_for(folder: Path, path: Path, launch: Launch) -> None:
    who = "the host's first process" if launch.hosts else "rank 0"
    late = InputError(
        f"{folder}: {who} hasn't made it in {PATIENCE:.0f} s; give all processes the same new "
        "folder with --run-dir, on a disk that they share"
    )
    _wait_until(lambda: _launch_of(path / PROGRAM_FILE) == launch.name, or_else=late)


def wait_for_others(folder: Path, launch: Launch) -> bool:
    """Whether the other ranks' ledgers in the folder are whole; waits for those that are begun.

    One that isn't there is on another host, or of a process that never imported torch.
    """
    names = (f"ledger-{rank}.jsonl" for rank in range(1, launch.world_size))
    begun = [path for name in names if (path := folder / name).exists()]
    deadline = time.monotonic() + OTHERS_END
    while not all(map(_has_end, begun)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return bool(begun)


def _has_end(ledger: Path) -> bool:
    try:
        return has_end(ledger)
    except OSError:  # nothing may end the run now
        return False


def _wait_until(holds: Callable[[], bool], *, or_else: InputError) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise or_else
        time.sleep(0.05)


def _launch_of(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["launch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there yet, or not whole yet
