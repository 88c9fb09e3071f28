"""Deviations of the learning rate's schedule: when it steps, and over how many steps it runs.

Try one: `python -m reference explain LEDGER`
"""

import itertools

from reference.ledger.deviations.clue import (
    MOST_PROCESSES,
    Clue,
    all_rates,
    base_rate,
    close,
    linear,
)
from reference.ledger.deviations.deviation import VALUE, Deviation
from reference.ledger.deviations.edit import after, before, delete, imports, replace
from reference.recipe import Recipe

STEP = "lr_scheduler.step()"
TOTAL = "num_training_steps=num_training_steps"
PROGRESS = "progress_bar = tqdm("
PIECES = imports("from reference.ledger.deviations import pieces")
MOST_LOOKED_AT = 10_000  # steps of a schedule
BY_EPOCHS = "the run's length is given in epochs"


def accumulates(recipe: Recipe, _rows: int) -> bool:
    return recipe.gradient_accumulation_steps > 1


def _by_epochs(recipe: Recipe, _rows: int) -> bool:
    return recipe.max_steps < 0


def _floor_differs(recipe: Recipe, rows: int) -> bool:
    return rows % (recipe.train_batch_size * recipe.gradient_accumulation_steps) != 0


def _constant(clue: Clue) -> bool:
    found = all_rates(clue.their_steps)
    return all(close(found[0], rate) for rate in found)


def _rests(clue: Clue) -> bool:
    """Some step leaves the rate as it was."""
    found = all_rates(clue.their_steps)
    return len(found) < 2 or any(a == b for a, b in itertools.pairwise(found))


def _other_rate(clue: Clue) -> bool:
    """The rate of the step itself differs, and not just the one that it leaves to the next."""
    return bool(clue.ours.get("step") in (clue.step, None))


def _lengths(clue: Clue) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """(warm-up, total) of ours and of theirs, as their rates say."""
    ours = linear([clue.ours], base_rate(clue.ours))
    return ours, linear(clue.their_steps, base_rate(clue.theirs))


def _total(clue: Clue) -> list[int]:
    """What the rates say, and one more, for a schedule that is a step ahead."""
    _, (_, total) = _lengths(clue)
    return [total, total + 1] if total and total > 0 else []


def _warmup(clue: Clue) -> list[int]:
    _, (warmup, _) = _lengths(clue)
    found = [warmup] if warmup is not None and warmup >= 0 else []
    return [w for w in found if w != clue.recipe.num_warmup_steps]


def _steps_a_step(clue: Clue) -> list[int]:
    """How many times as fast as ours their rate moves."""
    moved = []
    for record in (clue.ours, clue.theirs):
        pair = all_rates([record])
        moved.append(abs(pair[1] - pair[0]) if len(pair) == 2 else None)
    ours, theirs = moved
    if ours is None or theirs is None:
        return [2, 4, 8]
    if not ours:
        return [2, 4, 8]
    times = min(theirs / ours, MOST_PROCESSES + 1)
    return [round(times)] if 1.5 <= times <= MOST_PROCESSES else []


def _kinds(clue: Clue) -> list[str]:
    """A straight line is another kind's only where it ends above zero."""
    found = all_rates(clue.their_steps)
    bends = [a - 2 * b + c for a, b, c in zip(found, found[1:], found[2:], strict=False)]
    straight = bends and all(abs(bend) < 1e-9 * max(found) for bend in bends)
    curved = [] if straight else ["cosine", "inverse_sqrt", "constant_with_warmup"]
    return [*curved, "polynomial"]


def _epochs(clue: Clue) -> list[int]:
    (_, ours), (_, theirs) = _lengths(clue)
    if not ours or not theirs:
        return []
    epochs = clue.recipe.num_train_epochs * theirs / ours
    if abs(epochs - round(epochs)) < 1e-6:
        found = [round(epochs)]
    else:  # beside another deviation, which makes an epoch longer or shorter
        found = [int(epochs), int(epochs) + 1]
    return [n for n in found if n not in (0, clue.recipe.num_train_epochs)]


def _rounds(recipe: Recipe, rows: int) -> bool:
    """Whether some step's rate, written in one of the other ways, has another last bit."""
    _, total = recipe.duration(-(-rows // recipe.train_batch_size))
    falling = max(1, total - recipe.num_warmup_steps)
    lr = chained = recipe.learning_rate
    for step in range(1, min(falling, MOST_LOOKED_AT)):
        left = falling - step
        chained *= 1.0 - 1.0 / (falling - step + 1)  # as torch's LinearLR does
        if len({lr * (left / falling), lr * (1 - step / falling), lr * left / falling}) > 1:
            return True
        if not recipe.num_warmup_steps and chained != lr * (left / falling):
            return True
    return False


def _nearly_ours(clue: Clue) -> bool:
    """Their rates are ours but for a rounding."""
    ours, theirs = (all_rates([record]) for record in (clue.ours, clue.theirs))
    near = [close(a, b, 1e-9) for a, b in zip(ours, theirs, strict=False)]
    return bool(near) and all(near) and ours != theirs


DEVIATIONS = (
    Deviation(
        "schedule-never-stepped",
        8,
        "schedule",
        "The schedule is made and never stepped, or there is none: the rate stays as it was.",
        "none",
        "always",
        (delete(STEP),),
        fits=_constant,
    ),
    Deviation(
        "schedule-before-optimizer",
        9,
        "schedule",
        "The schedule steps before the optimizer, so that each step has the next one's rate.",
        "none",
        "always",
        (delete(STEP), before("optimizer.step()", STEP)),
        fits=_other_rate,
    ),
    Deviation(
        "schedule-once-an-epoch",
        10,
        "schedule",
        "The schedule steps at the end of each epoch, though its length is counted in steps.",
        "none",
        "always",
        (delete(STEP), after("break", STEP, depth=-2)),
        fits=_rests,
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
        fits=_other_rate,
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
        values=_steps_a_step,
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
        values=_epochs,
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
        values=_total,
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
        values=_warmup,
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
        values=_kinds,
    ),
    Deviation(
        "schedule-rounded",
        14,
        "schedule",
        "The linear schedule is written by hand, or is torch's: the same line, and at some steps "
        "a rate that differs in its last bit.",
        "none",
        "a length at which the roundings differ",
        (PIECES, before(PROGRESS, "lr_scheduler = pieces.rounded(lr_scheduler, VALUE)")),
        hidden_with={"max_steps": 16},
        can_show=_rounds,
        value="1 - step / total",
        values=lambda _: ("1 - step / total", "lr * steps left / total", "LinearLR"),
        fits=_nearly_ours,
    ),
)


def _epochs_of(recipe: Recipe, rows: int) -> int:
    return recipe.duration(-(-rows // recipe.train_batch_size))[0]
