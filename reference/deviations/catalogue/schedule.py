"""Deviations of the learning rate's schedule: when it steps, and over how many steps it runs.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.clues import schedule
from reference.deviations.deviation import VALUE, Deviation
from reference.deviations.source_edits import after, before, delete, imports, replace
from reference.lesson.recipe import Recipe

STEP = "lr_scheduler.step()"
TOTAL = "num_training_steps=num_training_steps"
PROGRESS = "progress_bar = tqdm("
PIECES = imports("from reference.deviations import loop_parts")
BY_EPOCHS = "the run's length is given in epochs"


def accumulates(recipe: Recipe, _rows: int) -> bool:
    return recipe.gradient_accumulation_steps > 1


def _by_epochs(recipe: Recipe, _rows: int) -> bool:
    return recipe.max_steps < 0


def _floor_differs(recipe: Recipe, rows: int) -> bool:
    return rows % (recipe.train_batch_size * recipe.gradient_accumulation_steps) != 0


DEVIATIONS = (
    Deviation(
        "schedule-never-stepped",
        8,
        "schedule",
        "The schedule is made and never stepped, or there is none: the rate stays as it was.",
        "none",
        "always",
        (delete(STEP),),
        fits=schedule.constant,
    ),
    Deviation(
        "schedule-before-optimizer",
        9,
        "schedule",
        "The schedule steps before the optimizer, so that each step has the next one's rate.",
        "none",
        "always",
        (delete(STEP), before("optimizer.step()", STEP)),
        fits=schedule.is_another_rate,
    ),
    Deviation(
        "schedule-once-an-epoch",
        10,
        "schedule",
        "The schedule steps at the end of each epoch, though its length is counted in steps.",
        "none",
        "always",
        (delete(STEP), after("break", STEP, depth=-2)),
        fits=schedule.rests,
    ),
    Deviation(
        "schedule-every-micro-batch",
        11,
        "schedule",
        "The schedule steps at every micro-batch, so that it ends too soon.",
        "accelerate#963",
        "accumulation > 1",
        (before("optimizer.step()", "for _micro_batch in batches[1:]:\n    lr_scheduler.step()"),),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=accumulates,
        fits=schedule.is_another_rate,
    ),
    Deviation(
        "schedule-once-a-process",
        12,
        "schedule",
        "The schedule steps once for each process at every step, as a prepared one does on so "
        "many processes (here that is done in one).",
        "accelerate#1398, accelerate#2142, accelerate#2926",
        "processes > 1",
        (replace(STEP, f"for _process in range(VALUE):\n                {STEP}"),),
        rank=1,  # one process was seen
        value=2,
        values=schedule.steps_a_step,
    ),
    Deviation(
        "total-steps-floor",
        13,
        "schedule",
        "The schedule's length is counted from the rows and rounded down: the last, smaller "
        "batch of each epoch isn't in it.",
        "transformers#33455",
        "a last, smaller batch",
        (
            replace(
                TOTAL,
                "num_training_steps=num_epochs * (\n"
                "            len(data.train) // recipe.train_batch_size"
                " // recipe.gradient_accumulation_steps\n"
                "        )",
            ),
        ),
        hidden_with={"train_batch_size": 4},
        can_show=lambda recipe, rows: _floor_differs(recipe, rows) or recipe.max_steps > 0,
    ),
    Deviation(
        "total-steps-without-epochs",
        13,
        "schedule",
        "The schedule is as long as one epoch: the number of epochs was forgotten.",
        "transformers#33455",
        "more than one epoch",
        (replace(TOTAL, "num_training_steps=num_training_steps // num_epochs"),),
        hidden_with={"num_train_epochs": 1},
        can_show=lambda recipe, rows: _epochs_of(recipe, rows) > 1,
    ),
    Deviation(
        "total-steps-of-micro-batches",
        13,
        "schedule",
        "The schedule's length is counted in micro-batches, so that it never ends.",
        "transformers#33455",
        "accumulation > 1",
        (replace(TOTAL, "num_training_steps=num_epochs * len(train_dataloader)"),),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=lambda recipe, rows: accumulates(recipe, rows) or recipe.max_steps > 0,
    ),
    Deviation(
        "epochs",
        13,
        # Another length is another slope, from the first step.
        "schedule",
        "Another number of epochs, and a schedule of that length.",
        "none",
        BY_EPOCHS,
        (
            after(
                "num_epochs, num_training_steps = recipe.duration(len(train_dataloader))",
                "num_epochs, num_training_steps = VALUE, VALUE * num_training_steps // num_epochs",
            ),
        ),
        also=("batch",),
        value=2,
        values=schedule.epochs,
        sets={"num_train_epochs": VALUE},
        can_show=_by_epochs,
        length=True,
    ),
    Deviation(
        "total-steps",
        13,
        "schedule",
        "The schedule is made for another number of steps.",
        "transformers#33455",
        "always",
        (replace(TOTAL, "num_training_steps=VALUE"),),
        value=1000,
        rank=2,  # any slope
        values=schedule.totals,
    ),
    Deviation(
        "warm-up",
        14,
        "schedule",
        "The learning rate is warmed up over another number of steps; the recipe has none.",
        "none",
        "always",
        (replace("recipe.num_warmup_steps", "VALUE"),),
        value=2,
        values=schedule.warm_ups,
        sets={"num_warmup_steps": VALUE},
    ),
    Deviation(
        "schedule-kind",
        14,
        "schedule",
        "Another schedule than the linear one.",
        "none",
        "always",
        (replace('"linear"', "VALUE"),),
        value="cosine",
        values=schedule.kinds,
    ),
    Deviation(
        "schedule-rounded",
        14,
        "schedule",
        "The linear schedule is written by hand, or is torch's: the same line, and at some steps "
        "a rate that differs in its last bit.",
        "none",
        "a length at which the roundings differ",
        (PIECES, before(PROGRESS, "lr_scheduler = loop_parts.rounded(lr_scheduler, VALUE)")),
        hidden_with={"max_steps": 16},
        can_show=schedule.rounds,
        value="1 - step / total",
        values=lambda _: ("1 - step / total", "lr * steps left / total", "LinearLR"),
        fits=schedule.nearly_ours,
    ),
)


def _epochs_of(recipe: Recipe, rows: int) -> int:
    return recipe.duration(recipe.batches_per_epoch(rows))[0]
