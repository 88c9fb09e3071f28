"""The run's folder, which the processes of a launch share.

It is the one of `--run-dir`, or a new one under `runs/`. torchrun's restart number 1 gets one
beside it, with `-restart1` at its name's end. Hosts that share no disk have a folder each.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from reference.errors import InputError
from reference.ledger.reader import has_end
from reference.ledger.record import Record
from reference.observe.script.launcher import Launch, name_of_launch
from reference.process.run_folder import RUNS, clear_run_dir, default_run_dir, make_run_dir
from reference.process.whole_files import write_json

PROGRAM_FILE = "program.json"
PROGRAM_VERSION = 1
OTHERS_END = 10.0  # seconds for the others to end, after rank 0 has: for them to be held together
PATIENCE = 60.0  # seconds for another process to make the folder, before it runs the program


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
    own = name_of_launch() or [str(os.getppid())]
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
