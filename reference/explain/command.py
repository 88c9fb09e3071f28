"""`explain` and `deviations` for people: replays with progress, and what they prove, in words.

python -m reference explain LEDGER
python -m reference deviations
python -m reference deviations no-clip
"""

import dataclasses
import math
import time
from pathlib import Path

from reference.deviations import CATALOGUE, Chosen, shown
from reference.deviations.clues.clue import MOST_STEPS, part
from reference.errors import InputError
from reference.explain.explanation_text import words
from reference.explain.search import Explanation, explain
from reference.ledger.record import Ledger, Record, is_newer, read_ledger
from reference.ledger.schema import check
from reference.ledger.steps import groups
from reference.lesson.checkpoints import check_checkpoint
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe, nearest
from reference.messages import plain
from reference.run.header import header
from reference.run.prepare import prepare
from reference.terminal import Progress

SHOWN_EVERY = 0.2  # seconds


def explain_ledger(path: Path, recipe: Recipe, *, own_length: bool = False) -> int:
    """Explain a ledger by a recipe, and print it.

    Exit code 0 if all of it is proven, 1 if something is left, 2 if it can only be as far as the
    ledger goes, or is of another model. With `own_length` the recipe's number of steps is what the
    ledger's header says, or how many a script's whole ledger has. Raises InputError for a ledger
    that doesn't belong to the recipe's data or checkpoint, or isn't as its schema has it.
    """
    target = read_ledger(path)
    if not any(item.kind == "step" for item in target.items):
        raise InputError(f"{path}: holds no step; there is nothing to explain")
    _check(target)
    if own_length:
        recipe = _as_long_as_it_says(recipe, target.header)
    recipe = prepare(recipe.for_loop("manual"))
    check_checkpoint(recipe)
    data = load_data(recipe)
    if own_length:
        recipe = _as_long_as_it_is(recipe, target, len(data.train))
    ours = header(recipe, "manual", data)
    check_belongs(path, target.header, ours)
    found = explain_with_progress(target, ours, recipe, data)
    print("\n".join(map(plain, words(found))))
    if not found.proven:
        # Of another model, or without what proves anything: not this recipe's to explain.
        foreign = not found.outcome.decisive and not found.outcome.failure
        return InputError.exit_code if foreign else 1
    return 0 if found.outcome.verdict.verdict == "identical" else InputError.exit_code


def _as_long_as_it_says(recipe: Recipe, header: Record) -> Recipe:
    """The recipe with the length of the run that this header is of, and a word on it."""
    steps = part(header, "recipe", "max_steps")
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS or steps == recipe.max_steps:
        return recipe
    print(f"the ledger is of a run of {steps} steps, and so is the recipe's (--max-steps {steps})")
    return dataclasses.replace(recipe, max_steps=steps)


def _as_long_as_it_is(recipe: Recipe, target: Ledger, rows: int) -> Recipe:
    """The recipe cut to a script's run that came to its end sooner, and a word on it.

    Whole epochs are left as they are: another number of them is a deviation, and has a name.
    """
    steps, end = len(target.steps), target.end
    batches = math.ceil(rows / recipe.train_batch_size)
    epoch = math.ceil(batches / recipe.gradient_accumulation_steps)
    shorter = steps < recipe.duration(batches)[1] and steps % epoch
    if part(target.header, "recipe") is not None or recipe.max_steps > 0 or not shorter:
        return recipe
    if end is None or not end["complete"]:
        return recipe  # how long it was to be is a question, and its schedule a suspect
    print(
        f"the ledger's run came to its end after {steps} steps, and so does the recipe's "
        f"(--max-steps {steps}; it says nothing of the length it was meant to have)"
    )
    return dataclasses.replace(recipe, max_steps=steps)


def _check(target: Ledger) -> None:
    """InputError for a record that isn't as its schema has it, before anything is trained."""
    newer = is_newer(target.header)
    for group in groups(target.items, newer=newer):
        if group.step is not None and not newer:
            check(group.step)


class ReplayProgress:
    """A bar, or a line now and then, for the replay that is going on, with its time left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._replays = 0
        self._last = 0.0
        self._shown: Progress | None = None

    def __call__(self, step: int) -> None:
        if step == 1 or self._shown is None:
            self.close()
            self._replays += 1
            self._shown = Progress([f"replay {self._replays}"], leave=False)
        if time.monotonic() - self._last >= SHOWN_EVERY:
            self._last = time.monotonic()
            self._shown.update(f"replay {self._replays}", step, self._total)

    def close(self) -> None:
        if self._shown is not None:
            self._shown.close()


def explain_with_progress(target: Ledger, ours: Record, recipe: Recipe, data: Data) -> Explanation:
    """The search, with its progress shown on stderr."""
    progress = ReplayProgress(sum(item.kind == "step" for item in target.items))
    try:
        return explain(target, ours, recipe, data, progress)
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
        one, other = theirs.get(name), ours.get(name)
        if not isinstance(one, dict) or not isinstance(other, dict):
            continue  # a script's ledger says neither
        if one.get("sha256") != other.get("sha256"):
            raise InputError(
                f"{path}: field {name}: the ledger is of {one.get(field)}, the recipe of "
                f"{other.get(field)}, and their contents differ; give the ledger's own with "
                f"--{name}"
            )


def show_deviations() -> None:
    """Print the catalogue: name, row of the table of known deviations, link, sentence, source."""
    width = max(map(len, CATALOGUE))
    for d in CATALOGUE.values():
        print(f"{d.name.ljust(width)}  {d.number:2}  {d.link}")
        print(f"    {d.sentence} Shows: {d.shows}. Seen in: {d.source}.")


def show_deviation(name: str) -> None:
    """Print one deviation as what it makes of the lesson's loop. InputError for an unknown one."""
    if name not in CATALOGUE:
        raise nearest("deviation", name, CATALOGUE)
    d = CATALOGUE[name]
    print(f"{Chosen(d)}, link {d.link}: {d.sentence} Shows: {d.shows}. Seen in: {d.source}.")
    print(shown([Chosen(d)]))
