"""One explanation from recipe and ledger to the printed words, with its progress shown."""

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from reference.deviations.clues.clue import MOST_STEPS, part
from reference.deviations.deviation import ACCELERATED, MANUAL
from reference.errors import InputError
from reference.explain.explanation import Explanation, OwnLength
from reference.explain.explanation_text import json_line, words
from reference.explain.ranks_replay import RankReplays, replay_starter
from reference.explain.search import explain, explain_by
from reference.ledger.reader import Ledger
from reference.ledger.record import Record
from reference.lesson.checkpoints import check_checkpoint
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe
from reference.messages import coloured, plain
from reference.observe.script.launcher import Launch
from reference.run.header import header
from reference.run.inputs import check_processes
from reference.run.prepare import prepare
from reference.terminal import Progress

SHOWN_EVERY = 0.2  # seconds


def explain_targets(
    targets: Mapping[Path, Ledger], recipe: Recipe, *, own_length: bool
) -> Explanation:
    """As `explain`, for the ledgers of a run, by rank, that were read and checked.

    Raises:
        InputError: for a ledger that isn't of the recipe's data or checkpoint.
    """
    path, target = next(iter(targets.items()))
    launch = Launch(0, len(targets), "")
    loop = MANUAL if launch.world_size == 1 else ACCELERATED
    length = _told_length(recipe, target.header) if own_length else None
    recipe = prepare(_of_length(recipe, length).for_loop(loop))
    check_processes(recipe, loop, launch.world_size)
    check_checkpoint(recipe)
    data = load_data(recipe)
    if own_length and length is None:
        length = _seen_length(recipe, target, len(data.train), launch.world_size)
        recipe = _of_length(recipe, length)
    ours = header(recipe, loop, data, launch)
    check_belongs(path, target.header, ours)
    explanation = explain_with_progress(targets, ours, recipe, data)
    return dataclasses.replace(explanation, own_length=length)


def print_explanation(path: Path, explanation: Explanation, *, as_json: bool) -> int:
    """Print what was found; returns the exit code that `explain_ledger` has."""
    if as_json:
        print(json_line(str(path), explanation))
    else:
        print("\n".join(coloured(plain(line), sys.stdout) for line in words(explanation)))
    outcome = explanation.outcome
    if not explanation.proven:
        # The ledger is of another model, or lacks the links that a proof needs.
        cannot_be_proven = not outcome.decisive and not outcome.failure
        return InputError.exit_code if cannot_be_proven else 1
    return 0 if outcome.verdict.verdict == "identical" else InputError.exit_code


def _of_length(recipe: Recipe, length: OwnLength | None) -> Recipe:
    return recipe if length is None else dataclasses.replace(recipe, max_steps=length.steps)


def _told_length(recipe: Recipe, header: Record) -> OwnLength | None:
    """The length of the run that this header is of, where it says one that isn't the recipe's."""
    steps = part(header, "recipe", "max_steps")
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS or steps == recipe.max_steps:
        return None
    return OwnLength(steps, told=True)


def _seen_length(recipe: Recipe, target: Ledger, rows: int, num_processes: int) -> OwnLength | None:
    """The length of a script's run that came to its end sooner than the recipe's.

    Whole epochs are left as they are: another number of them is a deviation, and has a name.
    """
    steps, end = len(target.steps), target.end
    batches = recipe.batches_per_epoch(rows, num_processes)
    shorter = steps < recipe.duration(batches)[1] and steps % recipe.steps_per_epoch(batches)
    if part(target.header, "recipe") is not None or recipe.max_steps > 0 or not shorter:
        return None
    if end is None or not end["complete"]:
        return None  # how long it was to be isn't known, and its schedule may be the deviation
    return OwnLength(steps, told=False)


class ReplayProgress:
    """A bar, or a line now and then, for the replay that is going on, with its time left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._replays = 0
        self._last = 0.0
        self._step = -1
        self._bar: Progress | None = None

    def __call__(self, step: int) -> None:
        """Show a replay's step: a new one's first is 1, or 0 as long as its processes start."""
        if self._bar is None or (step <= 1 and self._step != 0):
            self.close()
            self._replays += 1
            self._bar = Progress([f"replay {self._replays}"], leave=False)
        self._step = step
        if time.monotonic() - self._last >= SHOWN_EVERY:
            self._last = time.monotonic()
            self._bar.update(f"replay {self._replays}", step, self._total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def explain_with_progress(
    targets: Mapping[Path, Ledger], ours: Record, recipe: Recipe, data: Data
) -> Explanation:
    """The search, with its progress shown on stderr."""
    target = next(iter(targets.values()))
    progress = ReplayProgress(sum(item.kind == "step" for item in target.items))
    try:
        if len(targets) == 1:
            return explain(target, ours, recipe, data, progress)
        paths = dict(enumerate(targets))
        with replay_starter(recipe) as processes:
            return explain_by(RankReplays(processes, paths, ours, recipe, data, progress))
    finally:
        progress.close()


def check_belongs(path: Path, theirs: Record, ours: Record) -> None:
    """InputError where a ledger says that it is of other data or of another checkpoint."""
    tasks = [part(header, "recipe", "task") for header in (theirs, ours)]
    if isinstance(tasks[0], str) and tasks[0] != tasks[1]:
        raise InputError(
            f"{path}: field recipe.task: the ledger is of task {tasks[0]}, the recipe of "
            f"{tasks[1]}; give --task {tasks[0]}"
        )
    for name, field in (("data", "source"), ("checkpoint", "name")):
        their_part, our_part = theirs.get(name), ours.get(name)
        if not isinstance(their_part, dict) or not isinstance(our_part, dict):
            continue  # a script's ledger says neither
        if their_part.get("sha256") != our_part.get("sha256"):
            raise InputError(
                f"{path}: field {name}: the ledger is of {their_part.get(field)}, the recipe of "
                f"{our_part.get(field)}, and their contents differ; give the ledger's own with "
                f"--{name}"
            )
