"""Several processes of one launch: which one this is, and the folder that they share.

    accelerate launch --num_processes 2 -m reference observe --run-dir mine train.py

Nothing of torch.distributed: only the variables that `accelerate launch` and `torchrun` set.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE, Record
from reference.process.run_folder import RUNS, clear_run_dir, default_run_dir, make_run_dir
from reference.process.whole_files import write_json

PROGRAM_FILE = "program.json"
PROGRAM_VERSION = 1
PATIENCE = 60.0  # seconds for rank 0 to make the folder; it does so before it runs the program


@dataclass(frozen=True)
class Launch:
    """One process of a launch: its rank, how many there are, and a name that all of them know."""

    rank: int
    world_size: int
    name: str

    @property
    def ledger_file(self) -> str:
        """The name of this process's ledger in the folder."""
        return LEDGER_FILE if self.rank == 0 else f"ledger-{self.rank}.jsonl"


def launched() -> Launch:
    """This process's place in its launch; the only one where there is no launcher.

    Raises:
        InputError: where RANK and WORLD_SIZE, which the launcher sets, aren't such numbers.
    """
    world_size = _number("WORLD_SIZE", 1)
    rank = _number("RANK", 0)
    if not 0 <= rank < world_size:
        raise InputError(f"RANK: {rank} of WORLD_SIZE {world_size}; launch it anew")
    words = [f"{world_size} processes"]
    for name in ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"):
        words.append(os.environ.get(name, "-"))
    return Launch(rank, world_size, " ".join(words))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise InputError(f"{name}: {text!r} is not a number; launch it anew") from None


def default_folder(what: str, launch: Launch) -> Path:
    """A new folder's name under `runs/`, the same in all processes of a launch.

    Their launcher is the parent of all: its process number and the port on which they meet name it.

    Args:
        what: the program's name.
        launch: which process this one is.
    """
    if launch.world_size == 1:
        return default_run_dir(what)
    port = os.environ.get("MASTER_PORT", "0")
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    restarted = "" if again == "0" else f"-restart{again}"
    return RUNS / f"{what}-{port}-{os.getppid()}{restarted}"


def take_folder(folder: Path, program: Record, launch: Launch) -> Path:
    """The run's folder: made by rank 0, waited for by the others.

    Args:
        folder: as it was asked for.
        program: as `program_record` makes it, for `program.json`.
        launch: which process this one is.

    Returns:
        Its absolute path.

    Raises:
        InputError: where it holds another run, can't be made or written, or isn't there after
            PATIENCE.
    """
    path = folder.absolute()  # the program may change directory
    if launch.rank > 0:
        _wait_for(folder, path, launch)
        return path
    new = make_run_dir(path, first=PROGRAM_FILE)
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
    deadline = time.monotonic() + PATIENCE
    while _launch_of(path / PROGRAM_FILE) != launch.name:
        if time.monotonic() > deadline:
            raise InputError(
                f"{folder}: rank 0 hasn't made it in {PATIENCE:.0f} s; give all processes the same "
                "new folder with --run-dir, on a disk that they share"
            )
        time.sleep(0.05)


def _launch_of(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["launch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there yet, or not whole yet
