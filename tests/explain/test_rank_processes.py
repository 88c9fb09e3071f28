"""The processes of a replay on several ranks need each other: one that fails ends it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reference.errors import TrainingFailed, WorkerDied
from reference.explain.ranks_replay import train_ranks
from reference.lesson.recipe import Recipe
from reference.process.workers import NewProcesses, Worker
from tests.helpers.waiting import LIMIT

WAITS = f"import time; time.sleep({LIMIT}); raise SystemExit('reference: error: waited in vain')"
FAILS = "print('reference: error: no space'); raise SystemExit(3)"
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


class OneFails(NewProcesses):
    """Of its processes rank 1 fails while it loads, and rank 0 waits for it."""

    def __init__(self, how: str) -> None:
        super().__init__({})
        self._how = how
        self.started: list[Worker] = []

    def start(self, arguments: Sequence[str], log: Path) -> Worker:
        rank = arguments[3]
        self.started.append(super().start(["-c", self._how if rank == "1" else WAITS], log))
        return self.started[-1]


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        (FAILS, TrainingFailed, "rank 1 of a replay: no space"),
        (DIES, WorkerDied, "rank 1 of a replay was killed by SIGKILL"),
    ],
)
def test_a_rank_that_fails_is_named_and_not_waited_for(
    how: str, error: type[Exception], says: str, tmp_path: Path
) -> None:
    with OneFails(how) as processes:
        with pytest.raises(error, match=says):
            train_ranks(processes, tmp_path, Recipe(), [], 2)
        assert all(worker.poll() is not None for worker in processes.started)
