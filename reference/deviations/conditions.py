"""What a recipe has to be like so that a deviation can show; each a function for `applies_to`.

The arguments are the recipe and the number of training rows.
"""

from reference.lesson.data.own_table import columns_of
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task

MOST_STEPS_LOOKED_AT = 10_000  # of a schedule, for a rate that rounds in another way


def clips(recipe: Recipe, _rows: int) -> bool:
    """Gradients are clipped."""
    return recipe.max_grad_norm > 0


def decays(recipe: Recipe, _rows: int) -> bool:
    """Weights decay."""
    return recipe.weight_decay > 0


def accumulates(recipe: Recipe, _rows: int) -> bool:
    """A step has several batches."""
    return recipe.gradient_accumulation_steps > 1


def shuffles(recipe: Recipe, _rows: int) -> bool:
    """The rows don't come in the order of the file."""
    return recipe.data_order != "sequential"


def pads(recipe: Recipe, _rows: int) -> bool:
    """A batch has several rows, of which the shorter ones are padded."""
    return recipe.train_batch_size > 1


def has_pairs(recipe: Recipe, _rows: int) -> bool:
    """The task's inputs are two sentences."""
    return len(columns_of(recipe).text) == 2


def scores_f1(recipe: Recipe, _rows: int) -> bool:
    """The task is scored by F1."""
    return "f1" in get_task(recipe.task).metrics


def drops_out(recipe: Recipe, _rows: int) -> bool:
    """The model has dropout."""
    return recipe.dropout > 0


def draws(recipe: Recipe, _rows: int) -> bool:
    """Training draws from the global generator: for dropout, or for the order of the data."""
    return recipe.dropout > 0 or recipe.data_order == "global"


def autocasts(recipe: Recipe, _rows: int) -> bool:
    """The model computes in bfloat16 under autocast."""
    return recipe.mixed_precision == "bf16"


def has_smaller_batch(recipe: Recipe, rows: int) -> bool:
    """The last batch of an epoch is smaller than the others."""
    return rows % recipe.train_batch_size != 0


def has_smaller_step(recipe: Recipe, rows: int) -> bool:
    """The last step of an epoch has fewer rows than the others."""
    return rows % (recipe.train_batch_size * recipe.gradient_accumulation_steps) != 0


def has_several_epochs(recipe: Recipe, rows: int) -> bool:
    """The run has more than one epoch."""
    return duration(recipe, rows)[0] > 1


def length_in_epochs(recipe: Recipe, _rows: int) -> bool:
    """The run's length is given in epochs, not in steps."""
    return recipe.max_steps < 0


def duration(recipe: Recipe, rows: int) -> tuple[int, int]:
    """(epochs, optimizer steps) of a run on so many rows."""
    return recipe.duration(recipe.batches_per_epoch(rows))


def rounds_otherwise(recipe: Recipe, rows: int) -> bool:
    """Some step's rate of the linear schedule, written in another way, has another last bit."""
    _, total = duration(recipe, rows)
    falling = max(1, total - recipe.num_warmup_steps)
    rate = chained = recipe.learning_rate
    for step in range(1, min(falling, MOST_STEPS_LOOKED_AT)):
        left = falling - step
        chained *= 1.0 - 1.0 / (left + 1)  # as torch's LinearLR does
        if len({rate * (left / falling), rate * (1 - step / falling), rate * left / falling}) > 1:
            return True
        if not recipe.num_warmup_steps and chained != rate * (left / falling):
            return True
    return False
