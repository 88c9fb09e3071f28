"""Deviations of the gradient: accumulating, zeroing, clipping.

Try one: `python -m reference explain LEDGER`
"""

from reference.ledger.deviations.clue import Clue, close, norm, times, unclipped
from reference.ledger.deviations.deviation import Deviation
from reference.ledger.deviations.edit import Edit, after, before, delete, replace
from reference.ledger.deviations.schedule import accumulates
from reference.recipe import Recipe

BACKWARD = "loss.backward()"
ZERO = "optimizer.zero_grad()"
EPOCH = "for _epoch in range(num_epochs):"
SHARE = ' * (len(batch["labels"]) / num_samples)'
CLIP = "if recipe.max_grad_norm > 0:"
CLIP_LINES = (
    "if recipe.max_grad_norm > 0:\n"
    "                torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)"
)
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


def clips(recipe: Recipe, _rows: int) -> bool:
    return recipe.max_grad_norm > 0


def _accumulated(clue: Clue) -> bool:
    """At the step before, their gradients were left as they were."""
    earlier = clue.their_steps[clue.step - 2 : clue.step - 1] if clue.step > 1 else []
    return bool(earlier) and earlier[0].get("zeroed") is not True


def _nothing_left(clue: Clue) -> bool:
    return not norm(clue.theirs, "clip")


def _divisor(clue: Clue) -> list[int]:
    """A whole number of times shorter than ours."""
    found = times(clue)
    whole = round(1 / found) if found else 0
    return [whole] if found and whole > 1 and close(found * whole, 1.0, 1e-3) else []


def _factor(clue: Clue) -> list[int]:
    found = times(clue)
    whole = round(found) if found else 0
    return [whole] if found and whole > 1 and close(found, whole, 1e-3) else []


def _bound(clue: Clue) -> list[float]:
    """The norm that their gradients are cut to: the roundest number that it can be."""
    for record in clue.their_steps:
        raw, seen = norm(record, "gradient"), norm(record, "clip")
        if raw is not None and seen is not None and seen < raw * (1 - 1e-5):
            rounded = [float(f"{seen:.{digits}g}") for digits in (1, 2, 3, 4)]
            return [b for b in dict.fromkeys(rounded) if close(b, seen, 1e-3) and b > 0][:2]
    return []


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
        "no-clip",
        1,
        "clip",
        "Gradients aren't clipped.",
        "the lesson, transformers#23935",
        "a gradient norm above the bound (1.0)",
        (delete(CLIP_LINES),),
        hidden_with={"max_grad_norm": 0.0},
        can_show=clips,
        fits=lambda clue: unclipped(clue.theirs),
    ),
    Deviation(
        "clip-norm",
        1,
        "clip",
        "Gradients are clipped to another norm.",
        "none",
        "a gradient norm above the smaller bound",
        (
            replace("recipe.max_grad_norm > 0", "VALUE > 0"),
            replace("model.parameters(), recipe.max_grad_norm", "model.parameters(), VALUE"),
        ),
        value=0.5,
        values=_bound,
    ),
    Deviation(
        "never-zeroed",
        15,
        "gradient",
        "Gradients are never zeroed, and add up over the run.",
        "transformers#340",
        "from step 2",
        (delete(ZERO),),
        fits=_accumulated,
    ),
    Deviation(
        "zeroed-before-step",
        16,
        # What the optimizer gets is the clip's link, and there is nothing.
        "clip",
        "Gradients are zeroed between the backward pass and the optimizer's step: nothing is "
        "trained.",
        "accelerate#616",
        "always",
        (delete(ZERO), before("optimizer.step()", ZERO)),
        also=("gradient", "optimizer", "update"),
        fits=_nothing_left,
    ),
    Deviation(
        "zeroed-each-epoch",
        17,
        "gradient",
        "Gradients are zeroed only where an epoch begins.",
        "none",
        "from step 2",
        (delete(ZERO), after(EPOCH, ZERO, depth=1)),
        fits=_accumulated,
    ),
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
    Deviation(
        "clip-after-step",
        26,
        "clip",
        "Gradients are clipped after the optimizer's step, where it does nothing.",
        "none",
        "a gradient norm above the bound (1.0)",
        (delete("optimizer.step()"), before(CLIP, "optimizer.step()")),
        hidden_with={"max_grad_norm": 0.0},
        can_show=clips,
        fits=lambda clue: unclipped(clue.theirs),
    ),
    Deviation(
        "clip-by-value",
        27,
        "clip",
        "Each value of a gradient is clipped by itself, not the norm of all.",
        "none",
        "a gradient value above the bound, or a gradient norm above it",
        (replace("clip_grad_norm_", "clip_grad_value_"),),
        hidden_with={"max_grad_norm": 0.0},
        can_show=clips,
    ),
    Deviation(
        "loss-divided",
        19,
        "gradient",
        "The loss is divided by a number that has no place here.",
        "none",
        "always",
        (before(BACKWARD, "loss = loss / VALUE"),),
        value=8,
        values=_divisor,
    ),
    Deviation(
        "loss-multiplied",
        18,
        "gradient",
        "The loss is multiplied by a number, as by a scaler whose gradients nobody scales back.",
        "none",
        "always",
        (before(BACKWARD, "loss = loss * VALUE"),),
        value=8,
        values=_factor,
    ),
)
