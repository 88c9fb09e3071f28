"""`explain` and `deviations` for people: replays with progress, and what they prove, in words.

python -m reference explain LEDGER
python -m reference deviations
python -m reference deviations no-clip
"""

import dataclasses
import time
from pathlib import Path

from reference.data.pipeline import Data, load_data
from reference.errors import InputError
from reference.ledger.deviations import CATALOGUE, Chosen, shown
from reference.ledger.explain import Explanation, explain
from reference.ledger.record import Ledger, Record, plain, read_ledger
from reference.ledger.replay import Outcome
from reference.model import check_checkpoint
from reference.recipe import Recipe, nearest
from reference.report import Progress
from reference.run import header, prepare

SHOWN_EVERY = 0.2  # seconds


def explain_ledger(path: Path, recipe: Recipe, *, own_length: bool = False) -> int:
    """Explain a ledger by a recipe, and print it.

    Exit code 0 if all of it is proven, 1 if something is left, 2 if it can only be as far as the
    ledger goes. With `own_length` the recipe's number of steps is what the ledger's header says,
    if it says one. Raises InputError for a ledger that doesn't belong to the recipe's data or
    checkpoint.
    """
    target = read_ledger(path)
    if not any(item.kind == "step" for item in target.items):
        raise InputError(f"{path}: holds no step; there is nothing to explain")
    if own_length:
        recipe = _as_long(recipe, target.header)
    recipe = prepare(recipe.for_loop("manual"))
    check_checkpoint(recipe)
    data = load_data(recipe)
    ours = header(recipe, "manual", data)
    check_belongs(path, target.header, ours)
    found = explain_with_progress(target, ours, recipe, data)
    print("\n".join(map(plain, words(found))))
    if not found.proven:
        return 1
    return 0 if found.outcome.verdict.verdict == "identical" else InputError.exit_code


def _as_long(recipe: Recipe, header: Record) -> Recipe:
    """The recipe with the length of the run that this header is of, and a word on it."""
    theirs = header.get("recipe")
    steps = theirs.get("max_steps") if isinstance(theirs, dict) else None
    if not isinstance(steps, int) or steps == recipe.max_steps or steps < 1:
        return recipe
    print(f"the ledger is of a run of {steps} steps, and so is the recipe's (--max-steps {steps})")
    return dataclasses.replace(recipe, max_steps=steps)


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
    for name, field in (("data", "source"), ("checkpoint", "name")):
        one, other = theirs.get(name), ours.get(name)
        if not isinstance(one, dict) or not isinstance(other, dict):
            continue  # a script's ledger says neither
        if one.get("sha256") != other.get("sha256"):
            raise InputError(
                f"{path}: field {name}: the ledger is of {one.get(field)}, the recipe of "
                f"{other.get(field)}, and their contents differ; give the ledger's own with "
                f"--{name} and --task"
            )


def words(found: Explanation) -> list[str]:
    """The explanation as lines: the result, each divergence and what it was, the replays."""
    last = found.outcome
    lines = [_result(found)]
    for before, after in zip(found.path, (*found.path, last)[1:], strict=True):
        # A guess on the way that the end does without isn't named.
        added = [c for c in last.chosen if c in after.chosen and c not in before.chosen]
        if added:
            lines.append(f"  {_where(before)}")
        for one in added:
            d = one.deviation
            lines.append(f"    {one}: {d.sentence} ({d.source})")
            lines += [f"    the same run: {twin}" for twin in twins(d.name)]
    if not found.proven:
        lines += [f"  {_where(last)}", _left(found)]
    replays = f"{found.replays} replays, {found.steps} steps"
    if found.proven:
        every = "every link" if last.verdict.verdict == "identical" else "every link that it has"
        proof = f"the last one equal in {every} of all {last.known_steps} steps"
        lines += [*last.verdict.notes, f"replayed: {replays}; {proof}"]
    else:
        lines.append(f"replayed: {replays}")
    return lines


def twins(name: str) -> list[str]:
    """The deviations that always give the same run as this one, so that no ledger tells."""
    return [f"{d.name}: {d.sentence}" for d in CATALOGUE.values() if d.twin == name]


def _result(found: Explanation) -> str:
    names = "; ".join(map(str, found.outcome.chosen))
    v = found.outcome.verdict
    if found.proven and v.verdict != "identical":
        names = (
            f"proven as far as it goes: {names}; "
            if names
            else "as far as it goes the recipe's own run; "
        )
        return f"{names}{v.detail}"
    if found.proven and not names:
        return "identical: this is the recipe's own run, with no deviation"
    if found.proven:
        return f"proven: {names}"
    if names:
        return f"not explained in full; so far: {names}"
    return "not explained"


def _where(outcome: Outcome) -> str:
    v = outcome.verdict
    if v.step is None:
        return v.detail or outcome.failure
    return f"step {v.step}, link {v.link}: {v.detail}"


def _left(found: Explanation) -> str:
    if not found.outcome.decisive:
        return "    nothing can be proven by this ledger; give one of the recipe's own model, whole"
    if found.outcome.verdict.verdict == "incomparable":
        return "    that may be no deviation at all: see above"
    line = f"    none of the known deviations gives this ({found.tried} tried here)"
    if "one run ends" in found.outcome.verdict.detail:
        line += (
            f"; if the run is meant to be that long, give --max-steps {found.outcome.known_steps}"
        )
    return line


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
