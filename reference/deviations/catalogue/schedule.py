"""Deviations of the learning rate's schedule: when it steps, and over how many steps it runs."""

from reference.deviations.anchors import DURATION, LOOP_PARTS, OPTIMIZER_STEP, PROGRESS_BAR
from reference.deviations.citations import NO_REPORT
from reference.deviations.clues import schedule
from reference.deviations.conditions import (
    accumulates,
    has_several_epochs,
    has_smaller_step,
    length_in_epochs,
    rounds_otherwise,
)
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, after, before, delete, replace

SCHEDULE_STEP = "lr_scheduler.step()"
TOTAL = "num_training_steps=num_training_steps"
BY_EPOCHS = "the run's length is given in epochs"


DEVIATIONS = (
    Deviation(
        name="schedule-never-stepped",
        row=8,
        link="schedule",
        summary=(
            "The schedule is made and never stepped, or there is none: the rate stays as it was."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=(delete(SCHEDULE_STEP),),
        suggested_by=schedule.is_constant,
    ),
    Deviation(
        name="schedule-before-optimizer",
        row=9,
        link="schedule",
        summary=(
            "The schedule steps before the optimizer, so that each step has the next one's rate."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=(delete(SCHEDULE_STEP), before(OPTIMIZER_STEP, SCHEDULE_STEP)),
        suggested_by=schedule.differs_at_step,
    ),
    Deviation(
        name="schedule-once-an-epoch",
        row=10,
        link="schedule",
        summary=(
            "The schedule steps at the end of each epoch, though its length is counted in steps."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=(delete(SCHEDULE_STEP), after("break", SCHEDULE_STEP, depth=-2)),
        suggested_by=schedule.rests,
    ),
    Deviation(
        name="schedule-every-micro-batch",
        row=11,
        link="schedule",
        summary="The schedule steps at every micro-batch, so that it ends too soon.",
        shows_when="accumulation > 1",
        citation="accelerate#963",
        edits=(
            before(OPTIMIZER_STEP, "for _micro_batch in batches[1:]:\n    lr_scheduler.step()"),
        ),
        suggested_by=schedule.differs_at_step,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="schedule-once-a-process",
        row=12,
        link="schedule",
        summary=(
            "The schedule steps once for each process at every step, as a prepared one does on so "
            "many processes (here that is done in one)."
        ),
        shows_when="processes > 1",
        citation="accelerate#1398; accelerate#2142; accelerate#2926",
        edits=(
            replace(
                SCHEDULE_STEP, f"for _process in range(VALUE):\n                {SCHEDULE_STEP}"
            ),
        ),
        default_value=2,
        values_to_try=schedule.steps_a_step,
        generality=1,  # one process was seen
    ),
    Deviation(
        name="total-steps-floor",
        row=13,
        link="schedule",
        summary=(
            "The schedule's length is counted from the rows and rounded down: the last, smaller "
            "batch of each epoch isn't in it."
        ),
        shows_when="a last, smaller batch",
        citation="transformers#33455",
        edits=(
            replace(
                TOTAL,
                "num_training_steps=num_epochs * (\n"
                "            len(data.train) // recipe.train_batch_size"
                " // recipe.gradient_accumulation_steps\n"
                "        )",
            ),
        ),
        applies_to=lambda recipe, rows: has_smaller_step(recipe, rows) or recipe.max_steps > 0,
        hidden_in_recipe={"train_batch_size": 4},
    ),
    Deviation(
        name="total-steps-without-epochs",
        row=13,
        link="schedule",
        summary="The schedule is as long as one epoch: the number of epochs was forgotten.",
        shows_when="more than one epoch",
        citation="transformers#33455",
        edits=(replace(TOTAL, "num_training_steps=num_training_steps // num_epochs"),),
        applies_to=has_several_epochs,
        hidden_in_recipe={"num_train_epochs": 1},
    ),
    Deviation(
        name="total-steps-of-micro-batches",
        row=13,
        link="schedule",
        summary="The schedule's length is counted in micro-batches, so that it never ends.",
        shows_when="accumulation > 1",
        citation="transformers#33455",
        edits=(replace(TOTAL, "num_training_steps=num_epochs * len(train_dataloader)"),),
        applies_to=lambda recipe, rows: accumulates(recipe, rows) or recipe.max_steps > 0,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="epochs",
        row=13,
        # Another length is another slope, from the first step.
        link="schedule",
        also_in=("batch",),
        summary="Another number of epochs, and a schedule of that length.",
        shows_when=BY_EPOCHS,
        citation=NO_REPORT,
        edits=(
            after(
                DURATION,
                "num_epochs, num_training_steps = VALUE, VALUE * num_training_steps // num_epochs",
            ),
        ),
        default_value=2,
        values_to_try=schedule.epochs,
        applies_to=length_in_epochs,
        replaces_fields={"num_train_epochs": VALUE},
        changes_length=True,
    ),
    Deviation(
        name="total-steps",
        row=13,
        link="schedule",
        summary="The schedule is made for another number of steps.",
        shows_when="always",
        citation="transformers#33455",
        edits=(replace(TOTAL, "num_training_steps=VALUE"),),
        default_value=1000,
        values_to_try=schedule.totals,
        generality=2,  # any slope
    ),
    Deviation(
        name="warm-up",
        row=14,
        link="schedule",
        summary="The learning rate is warmed up over another number of steps; the recipe has none.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace("recipe.num_warmup_steps", "VALUE"),),
        default_value=2,
        values_to_try=schedule.warm_ups,
        replaces_fields={"num_warmup_steps": VALUE},
    ),
    Deviation(
        name="schedule-kind",
        row=14,
        link="schedule",
        summary="Another schedule than the linear one.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace('"linear"', "VALUE"),),
        default_value="cosine",
        values_to_try=schedule.kinds,
    ),
    Deviation(
        name="schedule-rounded",
        row=14,
        link="schedule",
        summary=(
            "The linear schedule is written by hand, or is torch's: the same line, and at some "
            "steps a rate that differs in its last bit."
        ),
        shows_when="a length at which the roundings differ",
        citation=NO_REPORT,
        edits=(
            LOOP_PARTS,
            before(PROGRESS_BAR, "lr_scheduler = loop_parts.linear_as(lr_scheduler, VALUE)"),
        ),
        default_value="1 - step / total",
        values_to_try=lambda _: ("1 - step / total", "lr * steps left / total", "LinearLR"),
        suggested_by=schedule.nearly_ours,
        applies_to=rounds_otherwise,
        hidden_in_recipe={"max_steps": 16},
    ),
)
