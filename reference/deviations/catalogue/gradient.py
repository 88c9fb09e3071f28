"""Deviations of the gradient: zeroing, clipping, a loss of another size.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.clues.clue import Clue, close
from reference.deviations.clues.gradients import norm, times, unclipped
from reference.deviations.deviation import VALUE, Deviation
from reference.deviations.source_edits import after, before, delete, replace
from reference.lesson.recipe import Recipe

BACKWARD = "loss.backward()"
ZERO = "optimizer.zero_grad()"
EPOCH = "for _epoch in range(num_epochs):"
CLIP = "if recipe.max_grad_norm > 0:"
CLIP_LINES = (
    "if recipe.max_grad_norm > 0:\n"
    "                torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)"
)


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


DEVIATIONS = (
    Deviation(
        "no-clip",
        1,
        "clip",
        "Gradients aren't clipped, or to a bound that none of them reaches.",
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
        sets={"max_grad_norm": VALUE},
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
        "clip-after-step",
        26,
        "clip",
        "Gradients are clipped after the optimizer's step, where it does nothing.",
        "none",
        "a gradient norm above the bound (1.0)",
        (delete("optimizer.step()"), before(CLIP, "optimizer.step()")),
        hidden_with={"max_grad_norm": 0.0},
        can_show=clips,
        twin="no-clip",
    ),
    Deviation(
        "clip-by-value",
        27,
        "clip",
        "Each value of a gradient is clipped by itself, not the norm of all.",
        "none",
        "a gradient value above the bound, or a gradient norm above it",
        (replace("clip_grad_norm_", "clip_grad_value_"),),
        shows_with={"max_grad_norm": 0.05},
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
        rank=2,  # any factor
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
        rank=2,  # any factor
        values=_factor,
    ),
)
