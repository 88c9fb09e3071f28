"""Deviations of the model: its mode, its precision, its dropout."""

from typing import Any

from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.clue import Clue, part
from reference.deviations.conditions import autocasts, drops_out, has_several_epochs
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, after, delete, replace

# Between two epochs; after the last one the loop evaluates by itself.
EVALUATE = (
    "if completed_steps < num_training_steps:\n"
    "    model.eval()\n"
    "    for batch in eval_dataloader:\n"
    "        batch = {k: v.to(device) for k, v in batch.items()}\n"
    "        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):\n"
    "            model(**batch)"
)


def _not_in_train_mode(clue: Clue) -> bool:
    """Their step was in eval mode, or nothing says."""
    return part(clue.theirs, "mode", "training") is not True


def _autocast(clue: Clue) -> Any:
    """Their autocast's precision, or "off"; None where nothing says."""
    return part(clue.theirs, "mode", "autocast")


def _usual_rates(clue: Clue) -> list[float]:
    return [p for p in (0.0, 0.1, 0.2, 0.3, 0.05, 0.15, 0.25, 0.5) if p != clue.recipe.dropout]


DEVIATIONS = (
    Deviation(
        name="no-train-after-evaluation",
        row=28,
        # An evaluation's DataLoader draws a number, and that is seen before the mode.
        link="rng",
        also_in=("mode", "metrics"),
        summary="The model is evaluated after each epoch and isn't put back into train mode.",
        shows_when="an evaluation, dropout > 0",
        citation="transformers#1703",
        edits=(after("break", EVALUATE, depth=-2),),
        suggested_by=lambda clue: clue.step > 1,
        applies_to=has_several_epochs,
    ),
    Deviation(
        name="evaluated-each-epoch",
        row=28,
        link="rng",
        also_in=("batch", "metrics"),
        summary=(
            "The model is evaluated after each epoch, and the evaluation's DataLoader draws from "
            "the generator that dropout draws from."
        ),
        shows_when="more than one epoch",
        citation=NO_REPORT,
        edits=(after("break", f"{EVALUATE}\n    model.train()", depth=-2),),
        suggested_by=lambda clue: clue.step > 1,
        applies_to=has_several_epochs,
    ),
    Deviation(
        name="eval-mode",
        row=29,
        link="mode",
        also_in=("rng", "forward"),
        summary="The model is never put into train mode: no dropout.",
        shows_when="dropout > 0",
        citation=NO_REPORT,
        edits=(delete("model.train()"),),
        suggested_by=_not_in_train_mode,
        applies_to=drops_out,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="autocast",
        row=44,
        link="mode",
        also_in=("forward",),
        summary="The model computes in bfloat16 under autocast, and the recipe's doesn't.",
        shows_when="the recipe has no autocast",
        citation="transformers#16588",
        edits=(replace('recipe.mixed_precision == "bf16"', "True"),),
        suggested_by=lambda clue: _autocast(clue) != "off",
        applies_to=lambda recipe, _: recipe.mixed_precision == "no",
        replaces_fields={"mixed_precision": "bf16"},
        hidden_in_recipe={"mixed_precision": "bf16"},
    ),
    Deviation(
        name="no-autocast",
        row=44,
        link="mode",
        also_in=("forward",),
        summary="The model computes in float32, and the recipe's in bfloat16 under autocast.",
        shows_when="the recipe has autocast",
        citation="transformers#16588",
        edits=(replace('recipe.mixed_precision == "bf16"', "False"),),
        suggested_by=lambda clue: _autocast(clue) in (None, "off"),
        applies_to=autocasts,
        replaces_fields={"mixed_precision": "no"},
        shows_in_recipe={"mixed_precision": "bf16"},
        hidden_in_recipe={"mixed_precision": "no"},
    ),
    Deviation(
        name="dropout",
        row=29,
        link="forward",
        also_in=("rng", "mode"),
        summary="Another rate of dropout.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(
            after(
                "model.to(device)",
                "for module in model.modules():\n"
                "    if isinstance(module, torch.nn.Dropout):\n"
                "        module.p = VALUE",
            ),
        ),
        default_value=0.2,
        values_to_try=_usual_rates,
        replaces_fields={"dropout": VALUE},
    ),
)
