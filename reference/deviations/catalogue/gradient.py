"""Deviations of the gradient: zeroing, clipping, a loss of another size."""

from reference.deviations.anchors import (
    BACKWARD,
    CLIP,
    CLIP_LINES,
    EPOCH,
    OPTIMIZER_STEP,
    ZERO_GRAD,
)
from reference.deviations.citations import COURSE, NO_REPORT
from reference.deviations.clues.clue import Clue, close, number
from reference.deviations.clues.gradients import norm, norm_ratio, unclipped
from reference.deviations.conditions import clips
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, after, before, delete, replace


def _left_over(clue: Clue) -> bool:
    """At the step before, their gradients weren't zeroed."""
    before_this = clue.their_steps[clue.step - 2 : clue.step - 1] if clue.step > 1 else []
    return bool(before_this) and before_this[0].get("zeroed") is not True


def _nothing_to_step_with(clue: Clue) -> bool:
    """Their optimizer was given gradients of zero, or none."""
    return not norm(clue.theirs, "clip")


def _divisor(clue: Clue) -> list[int]:
    """How many times shorter than ours their gradient is, where that is a whole number."""
    ratio = norm_ratio(clue)
    return _whole(number(1 / ratio) or 0.0) if ratio else []


def _factor(clue: Clue) -> list[int]:
    """How many times as long as ours their gradient is, where that is a whole number."""
    return _whole(norm_ratio(clue) or 0.0)


def _whole(ratio: float) -> list[int]:
    whole = round(ratio)
    return [whole] if whole > 1 and close(ratio, whole, 1e-3) else []


def _bound(clue: Clue) -> list[float]:
    """The norm that their gradients are cut to: the roundest numbers that it can be."""
    for record in clue.their_steps:
        raw, clipped = norm(record, "gradient"), norm(record, "clip")
        if raw is not None and clipped is not None and clipped < raw * (1 - 1e-5):
            rounded = [float(f"{clipped:.{digits}g}") for digits in (1, 2, 3, 4)]
            return [b for b in dict.fromkeys(rounded) if close(b, clipped, 1e-3) and b > 0][:2]
    return []


DEVIATIONS = (
    Deviation(
        name="no-clip",
        row=1,
        link="clip",
        summary="Gradients aren't clipped, or to a bound that none of them reaches.",
        shows_when="a gradient norm above the bound (1.0)",
        citation=f"{COURSE}; transformers#23935",
        edits=(delete(CLIP_LINES),),
        suggested_by=lambda clue: unclipped(clue.theirs),
        applies_to=clips,
        hidden_in_recipe={"max_grad_norm": 0.0},
    ),
    Deviation(
        name="clip-norm",
        row=1,
        link="clip",
        summary="Gradients are clipped to another norm.",
        shows_when="a gradient norm above the smaller bound",
        citation=NO_REPORT,
        edits=(
            replace("recipe.max_grad_norm > 0", "VALUE > 0"),
            replace("model.parameters(), recipe.max_grad_norm", "model.parameters(), VALUE"),
        ),
        default_value=0.5,
        values_to_try=_bound,
        replaces_fields={"max_grad_norm": VALUE},
    ),
    Deviation(
        name="never-zeroed",
        row=15,
        link="gradient",
        summary="Gradients are never zeroed, and add up over the run.",
        shows_when="from step 2",
        citation="transformers#340",
        edits=(delete(ZERO_GRAD),),
        suggested_by=_left_over,
    ),
    Deviation(
        name="zeroed-before-step",
        row=16,
        # What the optimizer gets is the clip's link, and there is nothing.
        link="clip",
        also_in=("gradient", "optimizer", "update"),
        summary=(
            "Gradients are zeroed between the backward pass and the optimizer's step: nothing is "
            "trained."
        ),
        shows_when="always",
        citation="accelerate#616",
        edits=(delete(ZERO_GRAD), before(OPTIMIZER_STEP, ZERO_GRAD)),
        suggested_by=_nothing_to_step_with,
    ),
    Deviation(
        name="zeroed-each-epoch",
        row=17,
        link="gradient",
        summary="Gradients are zeroed only where an epoch begins.",
        shows_when="from step 2",
        citation=NO_REPORT,
        edits=(delete(ZERO_GRAD), after(EPOCH, ZERO_GRAD, depth=1)),
        suggested_by=_left_over,
    ),
    Deviation(
        name="clip-after-step",
        row=26,
        link="clip",
        summary="Gradients are clipped after the optimizer's step, where it does nothing.",
        shows_when="a gradient norm above the bound (1.0)",
        citation=NO_REPORT,
        edits=(delete(OPTIMIZER_STEP), before(CLIP, OPTIMIZER_STEP)),
        applies_to=clips,
        hidden_in_recipe={"max_grad_norm": 0.0},
        same_run_as="no-clip",
    ),
    Deviation(
        name="clip-by-value",
        row=27,
        link="clip",
        summary="Each value of a gradient is clipped by itself, not the norm of all.",
        shows_when="a gradient value above the bound, or a gradient norm above it",
        citation=NO_REPORT,
        edits=(replace("clip_grad_norm_", "clip_grad_value_"),),
        applies_to=clips,
        shows_in_recipe={"max_grad_norm": 0.05},
        hidden_in_recipe={"max_grad_norm": 0.0},
    ),
    Deviation(
        name="loss-divided",
        row=19,
        link="gradient",
        summary="The loss is divided by a number that has no place here.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(before(BACKWARD, "loss = loss / VALUE"),),
        default_value=8,
        values_to_try=_divisor,
        generality=2,  # any factor
    ),
    Deviation(
        name="loss-multiplied",
        row=18,
        link="gradient",
        summary=(
            "The loss is multiplied by a number, as by a gradient scaler that is never undone."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=(before(BACKWARD, "loss = loss * VALUE"),),
        default_value=8,
        values_to_try=_factor,
        generality=2,  # any factor
    ),
)
