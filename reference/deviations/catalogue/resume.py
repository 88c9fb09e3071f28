"""Deviations of a resumed run: what it forgot. The value is the step after which it went on.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.catalogue.batches import LOADERS
from reference.deviations.clues.batches import seen_before
from reference.deviations.clues.clue import Clue
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import Edit, after, imports
from reference.lesson.recipe import Recipe

PIECES = imports("from reference.deviations import loop_parts")
RESUMED = "after a resume"


def _then(line: str) -> Edit:
    """What happens where the run was cut, and goes on."""
    return after("completed_steps += 1", f"if completed_steps == VALUE:\n    {line}")


def _step_before(clue: Clue) -> list[int]:
    """What was forgotten shows in the first step after."""
    return [clue.step - 1] if clue.step > 1 else []


def _after_first(clue: Clue) -> list[int]:
    """A rate for the next step is seen in the step before."""
    return [step for step in (clue.step, clue.step - 1) if step > 0]


def _draws(recipe: Recipe, _rows: int) -> bool:
    return recipe.dropout > 0 or recipe.data_order == "global"


DEVIATIONS = (
    Deviation(
        "resumed-without-optimizer",
        49,
        "update",
        "The run was resumed without the optimizer's state: Adam's running means begin anew.",
        "accelerate#2574",
        RESUMED,
        (_then("optimizer.state.clear()"),),
        value=9,
        values=_step_before,
    ),
    Deviation(
        "resumed-without-schedule",
        49,
        "schedule",
        "The run was resumed without the schedule's state: the rate begins anew.",
        "accelerate#2574",
        RESUMED,
        (PIECES, _then("loop_parts.restart(lr_scheduler)")),
        value=9,
        values=_after_first,
    ),
    Deviation(
        "resumed-without-rng",
        49,
        "rng",
        "The run was resumed without the generators' states: the seed was set again.",
        "accelerate#2823",
        RESUMED,
        (
            PIECES,
            _then("loop_parts.seed_as_a_new_process(recipe, train_dataloader, completed_steps)"),
        ),
        also=("batch",),
        hidden_with={"dropout": 0.0},
        can_show=_draws,
        value=9,
        values=_step_before,
    ),
    Deviation(
        "resumed-at-wrong-batch",
        49,
        "batch",
        "The run was resumed at the first batch of its epoch, or, at the end of an epoch, with "
        "the first epoch's order.",
        "accelerate#2823",
        RESUMED,
        (
            PIECES,
            after(
                LOADERS,
                "train_dataloader = loop_parts.rebuilt(\n"
                "    train_dataloader,\n"
                "    sampler=loop_parts.FromTheFirstBatch(train_dataloader, recipe, VALUE),\n"
                ")",
            ),
        ),
        value=9,
        values=_step_before,
        fits=seen_before,
        length=True,
    ),
)
