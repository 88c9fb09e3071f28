"""Deviations of accumulating gradients: the loss's divisor, and which batches a step has."""

from reference.deviations.anchors import (
    BACKWARD,
    CLIP,
    CLIP_LINES,
    EPOCH,
    REPLACE,
    ZERO_GRAD,
)
from reference.deviations.citations import ACCELERATE_EXAMPLE, NO_REPORT
from reference.deviations.clues.batches import batches
from reference.deviations.clues.clue import MOST_TOKENS, Clue
from reference.deviations.clues.gradients import norm_ratio
from reference.deviations.conditions import accumulates, clips
from reference.deviations.deviation import Deviation, Trial
from reference.deviations.source_edits import VALUE, Edit, after, before, delete, replace

SHARE = ' * (len(batch["labels"]) / num_samples)'
# The loop as most people write it: batch by batch, and a test of whether it is time to step.
BATCH_BY_BATCH: tuple[Edit, ...] = (
    replace(
        "for batches in windows(train_dataloader, recipe.gradient_accumulation_steps):",
        "for step, batches in enumerate(windows(train_dataloader, 1)):",
    ),
    replace("num_samples = sum(", "num_samples = recipe.gradient_accumulation_steps * sum("),
)


def _skip_if(condition: str) -> Edit:
    """Neither clip nor step nor zero after this batch where the condition holds."""
    return before(CLIP, f"if {condition}:\n    continue")


def _recipe_accumulates(clue: Clue) -> bool:
    return clue.recipe.gradient_accumulation_steps > 1


def _other_windows(clue: Clue) -> bool:
    """Their step has other batches than ours, or another number of them, or their run has ended."""
    ours, theirs = clue.ours.get("batch"), clue.theirs.get("batch")
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return True
    return ours != theirs


def _batches_a_step(clue: Clue) -> list[int]:
    """The batches of their longest step, where ours has another number of them."""
    theirs = max((len(batches(record)) for record in clue.their_steps), default=0)
    ours = clue.recipe.gradient_accumulation_steps
    affordable = theirs * clue.recipe.train_batch_size <= MOST_TOKENS
    return [theirs] if theirs not in (0, ours) and affordable else []


DEVIATIONS = (
    Deviation(
        name="accumulation",
        row=24,
        link="batch",
        summary="The gradients of another number of batches are accumulated to a step.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(
            REPLACE,
            before(
                "device = torch.device(",
                "recipe = replace(recipe, gradient_accumulation_steps=VALUE)",
            ),
        ),
        default_value=2,
        values_to_try=_batches_a_step,
        replaces_fields={"gradient_accumulation_steps": VALUE},
        changes_length=True,
    ),
    Deviation(
        name="zeroed-every-micro-batch",
        row=16,
        link="gradient",
        summary=(
            "Gradients are zeroed before each backward pass, so that a step has those of its last "
            "micro-batch alone."
        ),
        shows_when="accumulation > 1",
        citation="accelerate#1299",
        edits=(before(BACKWARD, ZERO_GRAD),),
        suggested_by=_recipe_accumulates,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="loss-not-divided",
        row=18,
        link="gradient",
        summary=(
            "The loss isn't divided by the accumulation steps, as in the stock Trainer with BERT."
        ),
        shows_when="accumulation > 1",
        citation="transformers#47688",
        edits=(replace(SHARE, ""),),
        suggested_by=lambda clue: (norm_ratio(clue) or 2.0) > 1.0 and _recipe_accumulates(clue),
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="loss-divided-twice",
        row=19,
        link="gradient",
        summary="The loss is divided by the accumulation steps twice: by hand, and by a library.",
        shows_when="accumulation > 1",
        citation="accelerate#3533; transformers#40052",
        edits=(before(BACKWARD, "loss = loss / recipe.gradient_accumulation_steps"),),
        suggested_by=lambda clue: (norm_ratio(clue) or 0.5) < 1.0 and _recipe_accumulates(clue),
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="mean-of-means",
        row=20,
        link="gradient",
        summary=(
            "The micro-batches' mean losses are averaged, so that a sample of a smaller one "
            "weighs more."
        ),
        shows_when="accumulation > 1, uneven micro-batches",
        citation="transformers#34191",
        edits=(replace(SHARE, " / len(batches)"),),
        # 459 batches an epoch leave a last window of one where two are accumulated.
        in_matrix=Trial(recipe={"gradient_accumulation_steps": 4}),
        suggested_by=_recipe_accumulates,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="last-window-divided-by-all",
        row=21,
        link="gradient",
        summary=(
            "The loss is divided by the accumulation steps, also in the last window of an epoch, "
            "which has fewer."
        ),
        shows_when="accumulation > 1, uneven epoch",
        citation="transformers#38837",
        edits=(replace(SHARE, " / recipe.gradient_accumulation_steps"),),
        suggested_by=_recipe_accumulates,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 4},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="last-window-not-stepped",
        row=22,
        # The batches that are left over are walked, and stand in the next step.
        link="batch",
        also_in=("gradient", "update"),
        summary=(
            "The last window of an epoch, where it isn't full, is never stepped; its gradients "
            "stay and go into the next epoch's first step."
        ),
        shows_when="accumulation > 1, uneven epoch",
        citation="transformers#14309",
        edits=(*BATCH_BY_BATCH, _skip_if("(step + 1) % recipe.gradient_accumulation_steps != 0")),
        suggested_by=_other_windows,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 4},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
        changes_length=True,
    ),
    Deviation(
        name="last-window-dropped",
        row=22,
        link="batch",
        also_in=("gradient", "update"),
        summary=(
            "The last window of an epoch, where it isn't full, is never stepped; its gradients "
            "are zeroed when the next epoch begins."
        ),
        shows_when="accumulation > 1, uneven epoch",
        citation="transformers#14309",
        edits=(
            after(EPOCH, ZERO_GRAD, depth=1),
            *BATCH_BY_BATCH,
            _skip_if("(step + 1) % recipe.gradient_accumulation_steps != 0"),
        ),
        suggested_by=_other_windows,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 4},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
        changes_length=True,
    ),
    Deviation(
        name="window-across-epochs",
        row=23,
        link="batch",
        also_in=("gradient", "update"),
        summary=(
            "Micro-batches are counted over the whole run, so that a window runs on from one "
            "epoch into the next."
        ),
        shows_when="accumulation > 1, uneven epoch",
        citation="transformers#22082",
        edits=(
            before("completed_steps, evaluations = checkpoints", "micro_batches = 0"),
            *BATCH_BY_BATCH,
            before(CLIP, "micro_batches += 1"),
            _skip_if("micro_batches % recipe.gradient_accumulation_steps != 0"),
        ),
        suggested_by=_other_windows,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 4},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
        changes_length=True,
    ),
    Deviation(
        name="first-micro-batch-steps",
        row=24,
        # The first step has one batch where ours has all of its window.
        link="batch",
        also_in=("gradient", "update"),
        summary=(
            "The optimizer steps where the batch's number is divisible by the accumulation steps, "
            "and so on the first batch of an epoch."
        ),
        shows_when="accumulation > 1",
        citation=ACCELERATE_EXAMPLE,
        edits=(*BATCH_BY_BATCH, _skip_if("step % recipe.gradient_accumulation_steps != 0")),
        suggested_by=_other_windows,
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
        changes_length=True,
    ),
    Deviation(
        name="clip-every-micro-batch",
        row=25,
        # A later backward pass adds to what was clipped.
        link="gradient",
        also_in=("clip",),
        summary="Gradients are clipped at every micro-batch, not once for the step.",
        shows_when="accumulation > 1",
        citation="accelerate#641",
        edits=(delete(CLIP_LINES), after(BACKWARD, CLIP_LINES.replace("\n            ", "\n"))),
        suggested_by=_recipe_accumulates,
        applies_to=lambda recipe, rows: clips(recipe, rows) and accumulates(recipe, rows),
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
)
