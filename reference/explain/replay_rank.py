"""One process of a replay on several: the Accelerate loop with deviations, as far as it is equal.

    python -m reference.explain.replay_rank FOLDER RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE \
ADDRESS PORT

FOLDER holds `recipe.json` and `replay.json` (`ranks_replay.py`). It gets this process's ledger, up
to the first step that isn't the target's, and in `failure-RANK.txt` what the loop raised, if so.
"""

import ast
import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch.distributed as dist

from reference.deviations import EVERY, Chosen, train_with
from reference.deviations.deviation import ACCELERATED
from reference.explain.follower import Follower, Parted
from reference.explain.replay import failure_of
from reference.launch.rank import PLACE
from reference.ledger.reader import read_ledger
from reference.ledger.record import Record, Writer, is_newer
from reference.ledger.steps import groups
from reference.lesson.data.pipeline import load_data
from reference.lesson.recipe_sources import load_recipe
from reference.observe.observer import Observer
from reference.observe.script.evaluate_scores import scores_taken
from reference.observe.script.launcher import launched
from reference.process.exit_codes import ended
from reference.process.signals import stop_at_end_of_input
from reference.run.environment_variables import put_aside
from reference.run.header import header
from reference.run.prepare import prepare
from reference.run.processes import join, leave
from reference.run.silence import no_silence


class WhileEqual:
    """A ledger's writer, until its records are no more those of another ledger."""

    def __init__(self, writer: Writer, follower: Follower | None) -> None:
        self._writer = writer
        self._follower = follower
        self.parted = False

    def write(self, record: Record) -> None:
        """Write a record. Raises Parted after the first that isn't the other ledger's."""
        if self.parted:
            return
        self._writer.write(record)
        if self._follower is not None:
            try:
                self._follower.write(record)
            except Parted:
                self.parted = True
                raise

    def close(self) -> None:
        """Nothing to be done: whoever opened the writer closes it."""


def replay(folder: Path) -> int:
    """Train, and leave the ledger; 0 as well where it parts, which ends the other processes."""
    asked = json.loads((folder / "replay.json").read_text())
    launch = launched()
    recipe = prepare(load_recipe(str(folder / "recipe.json")))
    data = load_data(recipe)
    head = header(recipe, ACCELERATED, data, launch)
    train = train_with(chosen(asked["deviations"]), ACCELERATED)
    follower = _follower(head, asked["targets"].get(str(launch.rank)))
    join(recipe, launch)
    dist.barrier()  # one whose loop breaks at once must not end before the others have met it
    with no_silence(launch), closing(Writer(folder / launch.ledger_file, head)) as writer:
        sink = WhileEqual(writer, follower)

        def once() -> None:
            observer = Observer(sink, stop_if_not_finite=True)
            with observer, scores_taken(observer.add_scores):
                train(recipe, data)

        with put_aside(launch.world_size):
            failure = failure_of(once)
        if not failure and not sink.parted:
            leave()
            return 0
    if failure:
        (folder / f"failure-{launch.rank}.txt").write_text(failure)
    # The others wait for this process, and learn by its end that it goes no further.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def chosen(named: list[Any]) -> list[Chosen]:
    """Deviations by name, each with its value as Python writes it."""
    return [Chosen(EVERY[name], ast.literal_eval(value)) for name, value in named]


def _follower(head: Mapping[str, Any], target: str | None) -> Follower | None:
    if target is None:
        return None
    theirs = read_ledger(Path(target))
    steps = list(groups(theirs.items, newer=is_newer(theirs.header)))
    return Follower.of(dict(head), theirs.header, steps)


if __name__ == "__main__":
    stop_at_end_of_input()
    os.environ.update(zip(PLACE, sys.argv[2:], strict=True))
    sys.exit(ended(lambda: replay(Path(sys.argv[1])), says="reference: error: ", errors=Exception))
