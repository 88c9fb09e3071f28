"""Deviations of the model: its mode, its precision, its dropout."""

from textwrap import indent
from typing import Any

from reference.deviations.anchors import EPOCH, EVALUATION, LOOP_PARTS
from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.clue import Clue, part
from reference.deviations.clues.evaluations import (
    in_words,
    may_be_regular,
    out_of_train_mode,
    times,
    trains,
    trains_later,
)
from reference.deviations.conditions import autocasts, draws, drops_out, has_several_epochs
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, Edit, after, delete, replace

# Between two epochs; after the last one the loop evaluates by itself.
EVALUATE = "if completed_steps < num_training_steps:\n    model.eval()\n" + indent(
    EVALUATION, "    "
)

BEGINS = "progress_bar.update(completed_steps)"
AFTER_EVALUATION = " " * 16


def _while_training(*afterwards: str) -> tuple[Edit, ...]:
    """An evaluation within training, as far as the training feels it, and what follows on it.

    Whatever it evaluates, and in whatever batches: it leaves a mode, and its loader draws a number.
    """
    lines = ("model.eval()", "iter(eval_dataloader)  # which draws a number", *afterwards)
    due = "\n".join(["if loop_parts.is_due(completed_steps, VALUE):", *(f"    {x}" for x in lines)])
    return (LOOP_PARTS, after("completed_steps += 1", due))


def _after_epochs(clue: Clue) -> bool:
    """They may evaluate after each epoch."""
    return clue.step > 1 and may_be_regular(clue)


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
        suggested_by=_after_epochs,
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
        suggested_by=_after_epochs,
        applies_to=has_several_epochs,
    ),
    Deviation(
        name="never-back-in-train-mode",
        row=28,
        link="rng",
        also_in=("mode",),
        summary=(
            "The model is evaluated while an epoch goes on, every so many steps or once, and isn't "
            "put back into train mode."
        ),
        shows_when="an evaluation before the last step, dropout > 0",
        citation="asyml/texar-pytorch#310; transformers#1703",
        edits=_while_training(),
        default_value=(9,),
        values_to_try=times,
        value_text=in_words,
        suggested_by=lambda clue: out_of_train_mode(clue) and not trains_later(clue),
        applies_to=drops_out,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="back-in-train-mode-by-epoch",
        row=28,
        link="rng",
        also_in=("mode",),
        summary=(
            "The model is evaluated while an epoch goes on, and is put back into train mode only "
            "where the next one begins."
        ),
        shows_when="an evaluation within an epoch, dropout > 0",
        citation=(
            "ThilinaRajapakse/simpletransformers#739; wkentaro/pytorch-fcn#56; "
            "pfnet/pytorch-pfn-extras#688"
        ),
        edits=(*_while_training(), after(EPOCH, "model.train()", depth=1)),
        default_value=(9,),
        values_to_try=times,
        value_text=in_words,
        suggested_by=lambda clue: out_of_train_mode(clue) and trains_later(clue),
        applies_to=drops_out,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="evaluated-within-epochs",
        row=28,
        link="rng",
        also_in=("batch",),
        summary=(
            "The model is evaluated while an epoch goes on, and the evaluation's DataLoader draws "
            "from the generator that dropout draws from."
        ),
        shows_when="an evaluation before the last step, dropout > 0 or the global order",
        citation="pytorch#122697; pytorch#36998",
        edits=_while_training("model.train()"),
        default_value=(9,),
        values_to_try=times,
        value_text=in_words,
        suggested_by=trains,
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="eval-mode",
        row=29,
        link="mode",
        also_in=("rng", "forward"),
        summary="The model is never put into train mode: no dropout.",
        shows_when="dropout > 0",
        citation=NO_REPORT,
        edits=(
            replace(f"{BEGINS}\n    model.train()", BEGINS),
            delete(f"{AFTER_EVALUATION}model.train()"),
        ),
        suggested_by=out_of_train_mode,
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
