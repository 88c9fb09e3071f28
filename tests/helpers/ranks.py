"""Runs of several processes, forked from one that has imported what all of them need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reference.ledger.reader import Ledger, read_ledger
from reference.process.fork_server import ForkServer
from reference.process.ports import free_port
from reference.process.workers import Starter, Worker, stop
from reference.run.worker_processes import PRELOAD
from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT


@dataclass(frozen=True)
class Ranks:
    """What the processes of one run left."""

    folder: Path
    codes: list[int]

    def ledger(self, rank: int) -> Ledger:
        name = "ledger.jsonl" if rank == 0 else f"ledger-{rank}.jsonl"
        return read_ledger(self.folder / "run" / name)

    def kept(self, rank: int = 0) -> Mapping[str, Any]:
        """As `recorded_rank` has it."""
        kept: dict[str, Any] = torch.load(self.folder / f"{rank}.pt", weights_only=False)
        return kept

    def log(self, rank: int) -> str:
        return (self.folder / f"{rank}.log").read_text()


def processes() -> Starter:
    """What `run_ranks` starts them by; a context manager."""
    modules = ("reference.run.processes", "reference.explain.replay_rank")
    preload = [*PRELOAD, *modules, "tests.helpers.recorded_rank"]
    return ForkServer(preload, {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})


def run_ranks(
    start: Starter,
    folder: Path,
    world_size: int,
    words: Sequence[str],
    *,
    dtype: str = "float32",
    more: Callable[[int], Sequence[str]] = lambda rank: (),
) -> Ranks:
    """`train WORDS` in so many processes, to their end.

    Args:
        start: `processes()`.
        folder: new; gets what the processes leave.
        world_size: how many there are.
        words: a loop and options.
        dtype: of the model.
        more: options for one rank alone.
    """
    folder.mkdir()
    port = free_port()
    workers: list[Worker] = []
    try:
        for rank in range(world_size):
            place = map(str, (rank, world_size, rank, world_size, "127.0.0.1", port))
            command = [
                "-m",
                "tests.helpers.recorded_rank",
                str(folder / f"{rank}.pt"),
                dtype,
                *place,
            ]
            command += ["train", *words, "--run-dir", str(folder / "run"), *more(rank)]
            workers.append(start.start(command, folder / f"{rank}.log"))
        return Ranks(folder, [worker.wait(LIMIT) for worker in workers])
    finally:
        stop(workers)
