"""Loops that evaluate while they train: what that does to the training is named, and when it was.

The loops are as people write them, with a metric of their own; `explain` reads off the ledger when
they evaluate, and tries no number of steps one by one.
"""

from dataclasses import replace
from textwrap import indent

import pytest

from reference.deviations import CATALOGUE, Chosen, loop_source
from reference.deviations.clues.evaluations import in_words, regular
from reference.deviations.source_edits import Edit, after, apply
from reference.explain.explanation_text import words
from reference.ledger.reader import Ledger, Memory
from reference.lesson.metrics import last_scores
from reference.lesson.recipe import Recipe
from reference.observe.observer import Observer
from reference.run.prepare import quiet
from tests.helpers.planted import data_of, explained, keep

FEW = 6  # replays; 200 were made, in vain, before a ledger's evaluations were read
EVALUATE = """\
model.eval()
running = load_metric(recipe.task)
for batch in eval_dataloader:
    with torch.no_grad():
        logits = model(**batch).logits
    running.add_batch(predictions=logits.argmax(-1), references=batch["labels"])
running.compute()
"""
TRAIN = "model.train()\n"


def after_steps(which: str, body: str) -> Edit:
    return after("completed_steps += 1", f"if {which}:\n{indent(body, '    ')}")


def after_epochs(which: str, body: str) -> Edit:
    return after("break", f"if {which}:\n{indent(body, '    ')}", depth=-2)


EACH_EPOCH = after("for _epoch in range(num_epochs):", TRAIN, depth=1)
A_BATCH = EVALUATE.replace("eval_dataloader", "[next(iter(eval_dataloader))]")
LOOPS: dict[str, tuple[tuple[Edit, ...], str]] = {
    "every 4 steps": (
        (after_steps("completed_steps % 4 == 0", EVALUATE),),
        "never-back-in-train-mode every 4 steps",
    ),
    "from step 1 on": (
        (after_steps("completed_steps % 4 == 1", EVALUATE),),
        "never-back-in-train-mode after steps 1, 5, 9, 13, 17",
    ),
    "a batch every 4 steps": (
        (after_steps("completed_steps % 4 == 0", A_BATCH),),
        "never-back-in-train-mode every 4 steps",
    ),
    "once, after the first epoch": (
        (after_epochs("_epoch == 0", EVALUATE),),
        "never-back-in-train-mode after step 6",
    ),
    "the mode alone": (
        (after_steps("completed_steps == 4", "model.eval()"),),
        "never-back-in-train-mode after step 4",
    ),
    "each epoch but the last": (
        (after_epochs("completed_steps < num_training_steps", EVALUATE),),
        "no-train-after-evaluation",
    ),
    "once more after the last epoch": (
        (after_epochs("completed_steps == num_training_steps", EVALUATE),),
        "evaluated-twice",
    ),
    "back where an epoch begins": (
        (after_steps("completed_steps % 4 == 0", EVALUATE), EACH_EPOCH),
        "back-in-train-mode-by-epoch every 4 steps",
    ),
    "back at once": (
        (after_steps("completed_steps % 4 == 0", EVALUATE + TRAIN),),
        "evaluated-within-epochs every 4 steps",
    ),
}


def ledger_of(edits: tuple[Edit, ...], recipe: Recipe) -> Ledger:
    """As a script's, which says nothing of a recipe."""
    text = apply(loop_source(), [("test", edit, None) for edit in edits])
    namespace = {"__name__": "loop"}
    exec(compile(text, "loop.py", "exec"), namespace)
    memory = Memory({})
    with Observer(memory) as observer:
        evaluations = namespace["train"](recipe, data_of(recipe))  # type: ignore[operator]
        observer.add_scores(last_scores(evaluations))
    return memory.ledger


@pytest.mark.parametrize("name", LOOPS)
def test_when_a_loop_evaluates_is_read_off_its_ledger(name: str, small: Recipe) -> None:
    quiet()
    edits, answer = LOOPS[name]
    found = explained(ledger_of(edits, small), small)
    assert words(found)[0] == f"proven: {answer}"
    assert found.replays <= FEW


@pytest.mark.parametrize(
    "name", ["no-clip", "evaluation-in-train-mode", "averages-batch-scores", "eval-mode"]
)
def test_a_recipe_may_evaluate_in_between(name: str, small: Recipe) -> None:
    """What is wrong with an evaluation shows in the first one, and is replayed from the start."""
    recipe = replace(small, eval_strategy="steps", eval_steps=5, eval_batch_size=7)
    target = keep(recipe, Chosen(CATALOGUE[name]))
    assert [each["step"] for each in target.evaluations] == [5, 10, 15, 18]
    found = explained(target, recipe)
    assert words(found)[0] == f"proven: {name}"
    assert found.outcome.verdict.steps == 18


@pytest.mark.parametrize(
    ("steps", "every"),
    [([4, 8, 12, 16], 4), ([9], 9), ([4], None), ([4, 8, 16], None), ([2, 4], None), ([], None)],
)
def test_every_so_many_steps_is_over_the_whole_run(steps: list[int], every: int | None) -> None:
    assert regular(steps, 18) == every


def test_when_reads_as_words() -> None:
    assert in_words(1) == "every step"
    assert in_words(4) == "every 4 steps"
    assert in_words((4,)) == "after step 4"
    assert in_words((1, 5)) == "after steps 1, 5"
    assert in_words(tuple(range(9))) == "after steps 0, 1, 2, 3, 4, 5 and 3 more"
