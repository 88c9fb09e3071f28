"""Deviations of a resumed run: what it forgot. The value is the step after which it went on."""

from reference.deviations.anchors import LOADERS, LOOP_PARTS
from reference.deviations.clues.batches import seen_before
from reference.deviations.clues.clue import Clue
from reference.deviations.conditions import draws
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import Edit, after

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


DEVIATIONS = (
    Deviation(
        name="resumed-without-optimizer",
        row=49,
        link="update",
        summary=(
            "The run was resumed without the optimizer's state: Adam's running means begin anew."
        ),
        shows_when=RESUMED,
        citation="accelerate#2574",
        edits=(_then("optimizer.state.clear()"),),
        default_value=9,
        values_to_try=_step_before,
    ),
    Deviation(
        name="resumed-without-schedule",
        row=49,
        link="schedule",
        summary="The run was resumed without the schedule's state: the rate begins anew.",
        shows_when=RESUMED,
        citation="accelerate#2574",
        edits=(LOOP_PARTS, _then("loop_parts.restart_schedule(lr_scheduler)")),
        default_value=9,
        values_to_try=_after_first,
    ),
    Deviation(
        name="resumed-without-rng",
        row=49,
        link="rng",
        also_in=("batch",),
        summary="The run was resumed without the generators' states: the seed was set again.",
        shows_when=RESUMED,
        citation="accelerate#2823",
        edits=(
            LOOP_PARTS,
            _then("loop_parts.seed_as_a_new_process(recipe, train_dataloader, completed_steps)"),
        ),
        default_value=9,
        values_to_try=_step_before,
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="resumed-at-wrong-batch",
        row=49,
        link="batch",
        summary=(
            "The run was resumed at the first batch of its epoch, or, at the end of an epoch, "
            "with the first epoch's order."
        ),
        shows_when=RESUMED,
        citation="accelerate#2823",
        edits=(
            LOOP_PARTS,
            after(
                LOADERS,
                "train_dataloader = loop_parts.dataloader_with(\n"
                "    train_dataloader,\n"
                "    sampler=loop_parts.FromTheFirstBatch(train_dataloader, recipe, VALUE),\n"
                ")",
            ),
        ),
        default_value=9,
        values_to_try=_step_before,
        suggested_by=seen_before,
        changes_length=True,
    ),
)
