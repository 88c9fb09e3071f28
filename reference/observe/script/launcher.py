"""Several processes of one launch: which one this is, by what its launcher says.

    accelerate launch --num_processes 2 -m reference observe --run-dir mine train.py

Nothing of torch.distributed: only the variables that the launchers set.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE


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
        local_world_size: How many its host has.
        hosts: Whether there are several hosts.
    """

    rank: int
    world_size: int
    name: str
    restarts: int = 0
    local_rank: int | None = None
    local_world_size: int = 1
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
    words = [f"{world_size} processes", *given, *name_of_launch()]
    local_rank = _number(names.local_rank, -1)
    nodes = _number(names.nodes, 1)
    local_world_size = _number(names.local_world_size, world_size // max(nodes, 1))
    return Launch(
        rank,
        world_size,
        " ".join(words),
        restarts=_number("TORCHELASTIC_RESTART_COUNT", 0),
        local_rank=None if local_rank < 0 else local_rank,
        local_world_size=local_world_size,
        hosts=local_world_size < world_size or nodes > 1,
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


def name_of_launch() -> list[str]:
    """What tells this launch from all others, in words; empty where only its parent does."""
    for names in OF_ONE_LAUNCH:
        if all(os.environ.get(name) for name in names):
            return [os.environ[name] for name in names]
    return []
