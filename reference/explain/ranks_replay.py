"""Replays of a run of several processes: the Accelerate loop with deviations, in as many.

    python -m reference explain FOLDER

Each replay is of new processes, forked from one that has imported what they need. A process ends at
the first step that isn't its rank's, and the others, which wait for it, with it.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from reference.deviations import CATALOGUE, OF_SEVERAL, Chosen, Deviation
from reference.deviations.deviation import ACCELERATED
from reference.diff.ranks import place
from reference.explain.follower import Follower, Parted
from reference.explain.outcome import Outcome, outcome_of
from reference.ledger.reader import Item, Ledger, read_items, read_ledger
from reference.ledger.record import LEDGER_FILE, Record, is_newer
from reference.ledger.steps import groups
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.process.ports import free_port
from reference.process.whole_files import write_json
from reference.process.workers import POLL, Starter, Worker, failure, first_failed, stop
from reference.run.worker_processes import PRELOAD, GrowingLedger, starter


@dataclass
class RankReplays:
    """Replays of one recipe against the ledgers of several processes.

    Attributes:
        processes: `replay_starter(recipe)`, which has to outlive them.
        paths: each rank's ledger.
        header: the header of the recipe's own run, of rank 0.
        recipe: the recipe, as the Accelerate loop gets it.
        data: the recipe's data.
        on_step: called with the number of steps of a replay, now and then.
    """

    processes: Starter
    paths: Mapping[int, Path]
    header: Record
    recipe: Recipe
    data: Data
    on_step: Callable[[int], None] = lambda _step: None
    loop: str = ACCELERATED
    start_cost: int = 100  # new processes, which load the data and meet
    _targets: dict[int, Ledger] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._targets = {rank: read_ledger(path) for rank, path in self.paths.items()}

    @property
    def known(self) -> Mapping[str, Deviation]:
        """What may be tried: what only several processes can do comes first."""
        return {**OF_SEVERAL, **CATALOGUE}

    def target_of(self, rank: int | None) -> Ledger:
        """The ledger of a rank."""
        return self._targets[rank or 0]

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """Train the Accelerate loop with these deviations until a rank parts from its ledger.

        Returns:
            The outcome on the rank that parts first.

        Raises:
            Conflict: for deviations that can't be together.
            InputError: where a ledger isn't as its schema has it, or a process refuses the recipe.
            RunError: a process died.
        """
        folder = Path(tempfile.mkdtemp(prefix="replay-"))
        try:
            train_ranks(
                self.processes,
                folder,
                self.recipe,
                chosen,
                len(self.paths),
                targets=self.paths,
                on_step=self.on_step,
            )
            return _first([self._outcome(rank, chosen, folder) for rank in sorted(self.paths)])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _outcome(self, rank: int, chosen: Sequence[Chosen], folder: Path) -> Outcome:
        target = self._targets[rank]
        theirs = list(groups(target.items, newer=is_newer(target.header)))
        ours = {**self.header, "rank": rank}
        follower = Follower.of(ours, target.header, theirs)
        try:
            for item in _items(folder, rank):
                follower.write(item.record)
        except Parted:
            pass
        follower.close()
        if follower.fault is not None:
            raise follower.fault
        said = folder / f"failure-{rank}.txt"
        failed = said.read_text() if said.exists() else ""
        known = sum(group.step is not None for group in theirs)
        return outcome_of(follower, chosen, known, failed, rank=rank, ranks=len(self.paths))


def replay_starter(recipe: Recipe) -> Starter:
    """What starts the processes of replays by a recipe; a context manager."""
    return starter(recipe, (*PRELOAD, "reference.explain.replay_rank"))


def train_ranks(
    processes: Starter,
    folder: Path,
    recipe: Recipe,
    chosen: Sequence[Chosen],
    world_size: int,
    targets: Mapping[int, Path] | None = None,
    on_step: Callable[[int], None] = lambda _step: None,
) -> None:
    """Train the Accelerate loop with deviations in several processes, to their end.

    Args:
        processes: `replay_starter(recipe)`.
        folder: there, and empty; gets each rank's ledger.
        recipe: as the Accelerate loop gets it.
        chosen: the deviations.
        world_size: how many processes there are.
        targets: each rank's ledger; a process ends as soon as it parts from its own.
        on_step: called with the number of steps of rank 0, now and then: with 0 until it begins.

    Raises:
        RunError: a process refused the recipe, or died.
    """
    write_json(folder / "recipe.json", recipe.to_json())
    asked = {
        "deviations": [(c.deviation.name, repr(c.value)) for c in chosen],
        "targets": {str(rank): str(path.absolute()) for rank, path in (targets or {}).items()},
    }
    write_json(folder / "replay.json", asked)
    port = free_port()
    workers: dict[int, Worker] = {}
    try:
        for rank in range(world_size):
            where = map(str, (rank, world_size, rank, world_size, "127.0.0.1", port))
            arguments = ["-m", "reference.explain.replay_rank", str(folder), *where]
            workers[rank] = processes.start(arguments, folder / f"rank-{rank}.log")
        with closing(GrowingLedger(folder / LEDGER_FILE)) as ledger:
            shown = 0
            while True:
                codes = {rank: worker.poll() for rank, worker in workers.items()}
                first = first_failed(codes)
                if first is not None:  # the others would wait for it, and then fail themselves
                    log = folder / f"rank-{first}.log"
                    raise failure(f"rank {first} of a replay", codes[first] or 0, log)
                if None not in codes.values():
                    return
                ledger.look()
                if ledger.steps != shown or not shown:  # 0 again: how long it takes to begin
                    shown = ledger.steps
                    on_step(shown)
                time.sleep(POLL)
    finally:
        stop([worker for worker in workers.values() if worker.poll() is None])


def _items(folder: Path, rank: int) -> list[Item]:
    """What a rank's process has written of its steps."""
    path = folder / (LEDGER_FILE if rank == 0 else f"ledger-{rank}.jsonl")
    return list(read_items(path))[1:] if path.exists() else []


def _first(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome on the rank that parts first; where none does, the one that proves the least."""
    parted = [o for o in outcomes if not o.proven and o.verdict.step is not None]
    if parted:
        return min(parted, key=lambda o: (*place(o.verdict), o.rank))
    return min(outcomes, key=lambda o: (o.proven, o.verdict.verdict == "identical", o.rank))
