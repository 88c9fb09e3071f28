"""Deviations of several processes trained on two: each shows where its entry says, and only there.

That `explain` proves them: tests/explain/test_ranks.py.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from reference.deviations import OF_SEVERAL, Chosen, Clue, Deviation
from reference.diff.ledgers import diff
from reference.diff.ranks_of_one_run import diff_ranks_of
from reference.diff.verdict_text import lines
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.reader import read_ledger
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.workers import Starter
from tests.deviations.test_runs import record_at
from tests.helpers.planted_ranks import ROWS, keep_ranks, setting, write_data

# By default one of each link; all of them take minutes.
FEW = ("scheduler-stepped-by-each-process", "batch-skipped-by-one-process", "gradients-summed")
HIDDEN = [d for d in OF_SEVERAL.values() if d.hidden_in_recipe]
each = pytest.mark.parametrize(
    "deviation",
    [
        pytest.param(d, id=n, marks=() if n in FEW else pytest.mark.slow)
        for n, d in OF_SEVERAL.items()
    ],
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    data = write_data(tmp_path_factory.mktemp("data") / "glue")
    return load_recipe("embedded", {"data": str(data), "device": "cpu", "num_train_epochs": 2})


@pytest.fixture(scope="module")
def faithful(start: Starter, tmp_path_factory: pytest.TempPathFactory) -> dict[Recipe, Path]:
    """The recipe's own runs, each made once."""

    class Made(dict[Recipe, Path]):
        def __missing__(self, wanted: Recipe) -> Path:
            folder = tmp_path_factory.mktemp("faithful") / "run"
            self[wanted] = keep_ranks(start, folder, wanted)
            return self[wanted]

    return Made()


@each
def test_shows_where_it_says(
    deviation: Deviation,
    recipe: Recipe,
    faithful: dict[Recipe, Path],
    start: Starter,
    tmp_path: Path,
) -> None:
    recipe = setting(recipe, deviation.name)
    assert deviation.applies_to(recipe, ROWS)
    ours = faithful[recipe]
    theirs = keep_ranks(start, tmp_path / "run", recipe, [Chosen(deviation)])
    assert not list(theirs.glob("failure-*"))
    verdict = diff(ours, theirs)
    assert (verdict.verdict, verdict.link, verdict.ranks) == ("diverged", deviation.link, 2)
    assert verdict.step is not None
    assert verdict.rank is not None
    left, right = (read_ledger(find_ledgers(run)[verdict.rank]) for run in (ours, theirs))
    clue = Clue(
        deviation.link,
        verdict.step,
        record_at(left, verdict.step, deviation.link),
        record_at(right, verdict.step, deviation.link),
        right.steps,
        recipe,
    )
    assert deviation.name in map(str, deviation.candidates(clue))


@pytest.mark.slow
@pytest.mark.parametrize("deviation", HIDDEN, ids=lambda d: d.name)
def test_is_the_same_run_where_it_cannot_show(
    deviation: Deviation,
    recipe: Recipe,
    faithful: dict[Recipe, Path],
    start: Starter,
    tmp_path: Path,
) -> None:
    recipe = replace(recipe, **deviation.hidden_in_recipe)
    theirs = keep_ranks(start, tmp_path / "run", recipe, [Chosen(deviation)])
    verdict = diff(faithful[recipe], theirs)
    assert (verdict.verdict, verdict.ranks) == ("identical", 2), verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gradients-not-averaged", "last-micro-batch-not-averaged"])
def test_ranks_that_never_have_an_equal_gradient_are_said_to_be_no_replicas(
    name: str, recipe: Recipe, start: Starter, tmp_path: Path
) -> None:
    """By what they do they are two trainings, that began as one: `explain` tells the line."""
    run = keep_ranks(start, tmp_path / "run", setting(recipe, name), [Chosen(OF_SEVERAL[name])])
    verdict = diff_ranks_of(run)
    assert verdict.verdict == "incomparable"
    said = lines(str(run), verdict)
    assert "no gradient is averaged in any step, and each trains a model of its own" in said[0]


def test_one_process_tries_none_of_them() -> None:
    """Their edits are of the Accelerate loop, and have no place in the manual one."""
    assert len(OF_SEVERAL) >= 8
    assert {d.loop for d in OF_SEVERAL.values()} == {"accelerated"}
