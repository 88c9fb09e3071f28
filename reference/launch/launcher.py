"""Starts the processes of a configuration and watches them; one that fails ends all.

    python -m reference launch cpu-2 train accelerated

Each is `python -m reference train LOOP`, with its place among them in torchrun's variables. On a
CPU they are forked from one process that has imported what all of them need.
"""

import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from reference.errors import InputError, RunError, WorkerDied
from reference.launch.configuration import Configuration
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.process.ports import free_port
from reference.process.workers import POLL, Starter, Worker, failure, first_failed, stop
from reference.run.worker_processes import GrowingLedger, starter
from reference.terminal import Progress

LOCALHOST = "127.0.0.1"


def launch(
    configuration: Configuration,
    recipe: Recipe,
    loop: str,
    words: Sequence[str],
    run_dir: Path,
    *,
    debug: bool = False,
    processes: Starter | None = None,
) -> Path:
    """Run `train` in this machine's processes, to their end.

    Args:
        configuration: how many there are, and where they meet.
        recipe: what is trained; says what the processes have in common.
        loop: the loop, as `train` takes it.
        words: `train` and the rest of its command line; the folder is added.
        run_dir: the run's folder, new; that of rank 0's process goes for all.
        debug: whether the output of a process that fails is shown whole.
        processes: what starts them, where it has started others of the recipe: they need not import
            again what all of them need. One of their own by default.

    Returns:
        The run's folder, as rank 0's process has named it.

    Raises:
        InputError: a process refused what it got, or the port is in use.
        RunError: a process failed, or was killed: names its rank. The others have been stopped.
    """
    address = configuration.main_process_ip or LOCALHOST
    port = configuration.main_process_port or free_port()
    if configuration.machine_rank == 0:
        _check_port(port)
    logs = {rank: f"rank-{rank}.log" for rank in configuration.ranks}
    folder = Path(tempfile.mkdtemp(prefix="launch-"))
    told = folder / "run-dir"
    keep = False
    print(f"starting {len(logs)} processes of {loop}", file=sys.stderr, flush=True)
    try:
        with starter(recipe) if processes is None else nullcontext(processes) as processes:
            workers: dict[int, Worker] = {}
            try:
                for local, rank in enumerate(configuration.ranks):
                    place = [rank, configuration.num_processes, local, configuration.per_machine]
                    arguments = ["-m", "reference.launch.rank", *map(str, place), address]
                    arguments += [str(port), *words, "--run-dir", str(run_dir)]
                    arguments += ["--stop-at-end-of-input", *["--debug"] * debug]
                    if local == 0:
                        arguments += ["--tell-run-dir", str(told)]
                    workers[rank] = processes.start(arguments, folder / logs[rank])
                _watch(workers, {rank: folder / log for rank, log in logs.items()}, loop, told)
                return Path(told.read_text())
            finally:
                stop(list(workers.values()))
    except RunError as error:
        keep = str(folder) in str(error)  # it says what to see there
        if debug:
            for log in sorted(folder.iterdir()):
                print(f"{log.name}:\n{log.read_text(errors='replace')}", file=sys.stderr)
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _watch(workers: Mapping[int, Worker], logs: Mapping[int, Path], loop: str, told: Path) -> None:
    """Return when all have ended; raise what one that failed says, or how it died.

    Args:
        workers: this machine's processes, by their ranks.
        logs: what each of them writes.
        loop: that they train.
        told: the file in which the first of them tells the run's folder.
    """
    first = min(workers)
    name = LEDGER_FILE if first == 0 else f"ledger-{first}.jsonl"
    progress = Progress([loop])
    with closing(GrowingLedger(Path())) as ledger:
        try:
            while True:
                codes = {rank: worker.poll() for rank, worker in workers.items()}
                if told.exists():
                    ledger.path = Path(told.read_text()) / name
                    ledger.look()
                progress.update(loop, ledger.steps, ledger.total, ledger.loss)
                rank = first_failed(codes)
                if rank is not None:
                    raise _failure(rank, codes[rank] or 0, logs[rank])
                if None not in codes.values():
                    return
                time.sleep(POLL)
        finally:
            with suppress(OSError):  # a closed terminal shows no bars
                progress.close()


def _failure(rank: int, code: int, log: Path) -> RunError:
    """The error of the process that failed first."""
    if code < 0:
        how = signal.Signals(-code).name
        return WorkerDied(f"rank {rank} was killed by {how}; the others were stopped")
    return failure(f"rank {rank}", code, log)


def _check_port(port: int) -> None:
    """Raise InputError where another process listens on the port, or this one may not."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError as error:
            raise InputError(
                f"main_process_port: {port} can't be used ({error.strerror}); give another with "
                "--main-process-port, or leave it out for a free one"
            ) from None
