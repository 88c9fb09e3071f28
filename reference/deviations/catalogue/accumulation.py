"""Deviations of accumulating gradients: what the loss is divided by, and which batches a step has.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.catalogue.gradient import BACKWARD, CLIP, CLIP_LINES, EPOCH, ZERO, clips
from reference.deviations.catalogue.schedule import accumulates
from reference.deviations.clues.clue import Clue
from reference.deviations.clues.gradients import times
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import Edit, after, before, delete, replace

SHARE = ' * (len(batch["labels"]) / num_samples)'
# The loop as most people write it: batch by batch, and a test of whether it is time to step.
BATCH_BY_BATCH: tuple[Edit, ...] = (
    replace(
        "for batches in windows(train_dataloader, recipe.gradient_accumulation_steps):",
        "for step, batches in enumerate(windows(train_dataloader, 1)):",
    ),
    replace("num_samples = sum(", "num_samples = recipe.gradient_accumulation_steps * sum("),
)


def _not_yet(condition: str, then: str = "continue") -> Edit:
    return before(CLIP, f"if {condition}:\n    {then}")


def _micro_batches(clue: Clue) -> bool:
    return clue.recipe.gradient_accumulation_steps > 1


def _other_windows(clue: Clue) -> bool:
    """Their step has another number of batches than ours, or their run has ended."""
    ours, theirs = clue.ours.get("batch"), clue.theirs.get("batch")
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return True
    return len(ours) != len(theirs) or ours != theirs


DEVIATIONS = (
    Deviation(
        "loss-not-divided",
        18,
        "gradient",
        "The loss isn't divided by the accumulation steps, as in the stock Trainer with BERT.",
        "transformers#47688",
        "accumulation > 1",
        (replace(SHARE, ""),),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=accumulates,
        fits=lambda clue: (times(clue) or 2.0) > 1.0 and _micro_batches(clue),
    ),
    Deviation(
        "loss-divided-twice",
        19,
        "gradient",
        "The loss is divided by the accumulation steps twice: by hand, and by a library.",
        "accelerate#3533, transformers#40052",
        "accumulation > 1",
        (before(BACKWARD, "loss = loss / recipe.gradient_accumulation_steps"),),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=accumulates,
        fits=lambda clue: (times(clue) or 0.5) < 1.0 and _micro_batches(clue),
    ),
    Deviation(
        "mean-of-means",
        20,
        "gradient",
        "The micro-batches' mean losses are averaged, so that a sample of a smaller one weighs "
        "more.",
        "transformers#34191",
        "accumulation > 1, uneven micro-batches",
        (replace(SHARE, " / len(batches)"),),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=accumulates,
        fits=_micro_batches,
    ),
    Deviation(
        "last-window-divided-by-all",
        21,
        "gradient",
        "The loss is divided by the accumulation steps, also in the last window of an epoch, "
        "which has fewer.",
        "transformers#38837",
        "accumulation > 1, uneven epoch",
        (replace(SHARE, " / recipe.gradient_accumulation_steps"),),
        shows_with={"gradient_accumulation_steps": 4},
        hidden_with={},
        can_show=accumulates,
        fits=_micro_batches,
    ),
    Deviation(
        "last-window-not-stepped",
        22,
        # The batches that are left over are walked, and stand in the next step.
        "batch",
        "The last window of an epoch, where it isn't full, is never stepped; its gradients stay "
        "and go into the next epoch's first step.",
        "transformers#14309",
        "accumulation > 1, uneven epoch",
        (*BATCH_BY_BATCH, _not_yet("(step + 1) % recipe.gradient_accumulation_steps != 0")),
        also=("gradient", "update"),
        shows_with={"gradient_accumulation_steps": 4},
        hidden_with={},
        can_show=accumulates,
        fits=_other_windows,
        length=True,
    ),
    Deviation(
        "last-window-dropped",
        22,
        "batch",
        "The last window of an epoch, where it isn't full, is never stepped; its gradients are "
        "zeroed when the next epoch begins.",
        "transformers#14309",
        "accumulation > 1, uneven epoch",
        (
            after(EPOCH, ZERO, depth=1),
            *BATCH_BY_BATCH,
            _not_yet("(step + 1) % recipe.gradient_accumulation_steps != 0"),
        ),
        also=("gradient", "update"),
        shows_with={"gradient_accumulation_steps": 4},
        hidden_with={},
        can_show=accumulates,
        fits=_other_windows,
        length=True,
    ),
    Deviation(
        "window-across-epochs",
        23,
        "batch",
        "Micro-batches are counted over the whole run, so that a window runs on from one epoch "
        "into the next.",
        "transformers#22082",
        "accumulation > 1, uneven epoch",
        (
            before("completed_steps = 0", "micro_batches = 0"),
            *BATCH_BY_BATCH,
            before(CLIP, "micro_batches += 1"),
            _not_yet("micro_batches % recipe.gradient_accumulation_steps != 0"),
        ),
        also=("gradient", "update"),
        shows_with={"gradient_accumulation_steps": 4},
        hidden_with={},
        can_show=accumulates,
        fits=_other_windows,
        length=True,
    ),
    Deviation(
        "first-micro-batch-steps",
        24,
        # The first step has one batch where ours has all of its window.
        "batch",
        "The optimizer steps where the batch's number is divisible by the accumulation steps, and "
        "so on the first batch of an epoch.",
        "Accelerate's own examples",
        "accumulation > 1",
        (*BATCH_BY_BATCH, _not_yet("step % recipe.gradient_accumulation_steps != 0")),
        also=("gradient", "update"),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=accumulates,
        fits=_other_windows,
        length=True,
    ),
    Deviation(
        "clip-every-micro-batch",
        25,
        # A later backward pass adds to what was clipped.
        "gradient",
        "Gradients are clipped at every micro-batch, not once for the step.",
        "accelerate#641",
        "accumulation > 1",
        (delete(CLIP_LINES), after(BACKWARD, CLIP_LINES.replace("\n            ", "\n"))),
        also=("clip",),
        shows_with={"gradient_accumulation_steps": 2},
        hidden_with={},
        can_show=lambda recipe, rows: clips(recipe, rows) and accumulates(recipe, rows),
        fits=_micro_batches,
    ),
)
