"""Deviations of the catalogue, each in a loop with another seed, order and head than the recipe's.

python -m tests.lockstep.deviated no-clip eps     these, one after another
python -m tests.lockstep.deviated                 all of them
python -m tests.lockstep.deviated --sets 10       three to six at once, drawn at random
"""

import contextlib
import io
import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from reference.deviations import CATALOGUE, Conflict, edited_source, train_with
from reference.ledger.link_table import METRICS
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.lockstep.both import lockstep
from reference.lockstep.differences import OF_A_SEED, Difference
from reference.lockstep.result import Lockstep
from tests.conftest import write_mrpc
from tests.helpers.planted import data_of, keep, planted, setting
from tests.lockstep.expected import TOLD, Field, ways

OTHER_SEED = 7
# What a loop with another seed has beside its deviations.
BY_ITSELF = {*OF_A_SEED}


@dataclass(frozen=True)
class Answer:
    """What lockstep said of a loop with these deviations."""

    names: tuple[str, ...]
    result: Lockstep
    recipe: Recipe | None = None

    @property
    def beside(self) -> list[Difference]:
        """What it told beside what another seed makes of a run."""
        differences = self.result.differences
        return [d for d in differences if (d.link, d.field) not in BY_ITSELF]


def training(recipe: Recipe, names: Sequence[str]) -> Callable[[], None]:
    """A training by the recipe with these deviations."""
    data = data_of(recipe)
    loop = train_with([planted(name) for name in names])

    def train() -> None:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            loop(recipe, data)

    return train


def answer(base: Recipe, *names: str, seed: int = OTHER_SEED) -> Answer:
    """Hold a loop with these deviations and another seed against the faithful one."""
    recipe = setting(base, *names)
    theirs = training(replace(recipe, seed=seed), names)
    return Answer(names, lockstep(training(recipe, ()), theirs, out=io.StringIO()), recipe)


def faithful(base: Recipe, seed: int) -> Iterator[Answer]:
    """Each of the three loops beside each, the second with another seed."""
    for first, second in itertools.product(LOOPS, LOOPS):
        both = [loop_of(base, first), loop_of(replace(base, seed=seed), second)]
        yield Answer((first, second), lockstep(*both, out=io.StringIO()))


def loop_of(recipe: Recipe, name: str) -> Callable[[], None]:
    """A training by one of the loops as it is."""
    data = data_of(recipe)
    loop = get_loop(name)

    def train() -> None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            loop(recipe, data)

    return train


def told(one: Answer) -> set[Field]:
    """The fields beside what another seed makes of a run."""
    return {(each.link, each.field) for each in one.beside}


def missing(one: Answer) -> list[str]:
    """The deviations whose own field isn't told, though they are another run than without them.

    Beside some others one does nothing: one that begins anew at step 10 in a run of 9.
    """
    fields = told(one)
    untold = [name for name in one.names if name in TOLD and not ways(TOLD[name][0]) & fields]
    return [name for name in untold if _shows(one, name)]


def _shows(one: Answer, name: str) -> bool:
    if one.recipe is None:
        return True
    rest = [planted(each) for each in one.names if each != name]
    ledgers = keep(one.recipe, *rest, planted(name)), keep(one.recipe, *rest)
    return ledgers[0].items != ledgers[1].items


def extra(one: Answer) -> list[Field]:
    """What is told and is of none of the deviations."""
    known = {way for name in one.names for field in TOLD.get(name, ()) for way in ways(field)}
    return sorted(told(one) - known)


def drawn_sets(count: int, seed: int) -> list[tuple[str, ...]]:
    """Sets of three to six deviations that can be switched on together."""
    draw = random.Random(seed)
    sets: list[tuple[str, ...]] = []
    while len(sets) < count:
        names = tuple(draw.sample(sorted(CATALOGUE), draw.randint(3, 6)))
        with contextlib.suppress(Conflict):
            edited_source([planted(name) for name in names])
            if all(METRICS not in _links_of(name) for name in names):
                sets.append(names)
    return sets


def _links_of(name: str) -> set[str]:
    return {CATALOGUE[name].link, *CATALOGUE[name].also_in}


def main(words: Sequence[str]) -> None:
    """Print what is said of each."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = write_mrpc(Path(folder) / "glue", 44, 20)
        base = load_recipe("embedded", {"data": str(data), "device": "cpu"})
        if words[:1] == ["--faithful"]:
            for seed in words[1:]:
                for one in faithful(base, int(seed)):
                    _show(one)
            return
        if words[:1] == ["--sets"]:
            sets = drawn_sets(int(words[1]), int(words[2]) if words[2:] else 0)
        else:
            sets = [(name,) for name in words or CATALOGUE]
        training(base, ())()  # what it imports is imported once, before the forks
        for names in sets:
            _show(answer(base, *names))


def _show(one: Answer) -> None:
    known = all(name in CATALOGUE for name in one.names)
    lacks, more = (missing(one), extra(one)) if known else ([], sorted(told(one)))
    marks = [
        "PROVEN" if one.result.is_proven else "NOT PROVEN",
        f"MISSING {', '.join(lacks)}" if lacks else "ALL TOLD",
        f"EXTRA {', '.join(map(' '.join, more))}" if more else "NONE BESIDE",
    ]
    print(f"== {', '.join(one.names)}: {'; '.join(marks)}", flush=True)
    if one.result.failure:
        print(f"   {one.result.failure}")
    for line in one.result.lines():
        print(f"   {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
