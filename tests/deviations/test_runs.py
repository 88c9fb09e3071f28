"""Each deviation trained: it shows where its entry says, and not where it can't."""

from dataclasses import replace
from typing import Any

import pytest

from reference.deviations import CATALOGUE, Chosen, Clue, Deviation
from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger
from reference.ledger.record import Record
from reference.lesson.recipe import Recipe
from tests.deviations.conftest import Keep
from tests.helpers.planted import planted, setting

PAIRS = 44
SHOWN = CATALOGUE.values()
HIDDEN = [d for d in SHOWN if d.hidden_in_recipe]


@pytest.mark.parametrize("deviation", SHOWN, ids=lambda d: d.name)
def test_shows_where_it_says(deviation: Deviation, small: Recipe, keep: Keep) -> None:
    recipe, chosen = setting(small, deviation.name), planted(deviation.name)
    assert deviation.applies_to(recipe, PAIRS)
    ours, theirs = keep(recipe), keep(recipe, chosen)
    verdict = diff(ours.ledger, theirs.ledger, each_evaluation=True)
    assert (verdict.verdict, verdict.link) == ("diverged", deviation.link), verdict
    # What it is is read off the other run's records, there.
    assert verdict.step is not None
    clue = Clue(
        deviation.link,
        verdict.step,
        record_at(ours.ledger, verdict.step, deviation.link),
        record_at(theirs.ledger, verdict.step, deviation.link),
        theirs.ledger.steps,
        recipe,
    )
    if deviation.same_run_as:  # the same run by another name, which is the one to try
        deviation = CATALOGUE[deviation.same_run_as]
        chosen = Chosen(deviation)
    assert str(chosen) in map(str, deviation.candidates(clue))


def test_an_evaluation_made_twice_is_no_other_training(small: Recipe, keep: Keep) -> None:
    recipe, chosen = setting(small, "evaluated-twice"), planted("evaluated-twice")
    verdict = diff(keep(recipe).ledger, keep(recipe, chosen).ledger)
    assert verdict.verdict == "identical"
    assert any("an evaluation that the other run didn't make" in note for note in verdict.notes)


def record_at(ledger: Ledger, step: int, link: str) -> Record:
    if link == "metrics":
        return ledger.evaluations[-1]
    return ledger.steps[step - 1]


@pytest.mark.parametrize("deviation", HIDDEN, ids=lambda d: d.name)
def test_is_the_same_run_where_it_cannot_show(
    deviation: Deviation, small: Recipe, keep: Keep
) -> None:
    recipe = replace(small, **deviation.hidden_in_recipe)
    ours, theirs = keep(recipe), keep(recipe, Chosen(deviation))
    for name in ("weights", "scores", "steps", "final_loss"):
        assert ours.metrics[name] == theirs.metrics[name], name
    verdict = diff(ours.ledger, theirs.ledger)
    assert (verdict.verdict, verdict.steps) == ("identical", ours.metrics["steps"]), verdict


def test_without_deviations_it_is_the_recipe(small: Recipe, keep: Keep, kept_runs: Any) -> None:
    """The edited text, compiled, is the loop itself; and a run is compared with another one."""
    ours = keep(small)
    kept_runs.clear()
    theirs = keep(small)
    assert theirs is not ours
    assert diff(ours.ledger, theirs.ledger).verdict == "identical"


@pytest.mark.parametrize(
    "names",
    [
        "no-clip eps learning-rate schedule-never-stepped",
        "weight-decay decay-on-biases beta2 not-fused",
        "global-order last-batch-dropped padded-to-multiple no-token-types",
        "dropout loss-summed clip-every-micro-batch mean-of-means",
        "evaluated-each-epoch evaluation-drops-last-batch f1-averaged",
    ],
)
def test_several_at_once(names: str, small: Recipe, keep: Keep) -> None:
    """Each of them does something beside the others: without it, it is another run."""
    recipe = replace(small, gradient_accumulation_steps=2)
    chosen = [Chosen(CATALOGUE[name]) for name in names.split()]
    whole = keep(recipe, *chosen)
    for one in chosen:
        fewer = keep(recipe, *(c for c in chosen if c is not one))
        assert diff(whole.ledger, fewer.ledger).verdict == "diverged", str(one)


def test_some_recipes_hide_a_deviation(small: Recipe) -> None:
    """`applies_to` is false where the run would be the recipe's."""
    hidden = {
        "no-clip": {"max_grad_norm": 0.0},
        "decay-on-biases": {"weight_decay": 0.0},
        "mean-of-means": {"gradient_accumulation_steps": 1},
        "eval-mode": {"dropout": 0.0},
        "no-seed": {"dropout": 0.0},
        "last-batch-dropped": {"train_batch_size": 4},
        "total-steps-floor": {"train_batch_size": 4},
        "total-steps-without-epochs": {"num_train_epochs": 1},
        "no-shuffle": {"data_order": "sequential"},
        "f1-averaged": {"task": "sst2"},
        "sentences-swapped": {"task": "sst2"},
        "autocast": {"mixed_precision": "bf16"},
    }
    for name, changes in hidden.items():
        assert not CATALOGUE[name].applies_to(replace(small, **changes), PAIRS), name
