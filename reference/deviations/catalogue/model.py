"""Deviations of the model: its seeds, its mode, and the loss that comes out of it.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.catalogue.batches import LOADERS
from reference.deviations.clues.batches import same_rows
from reference.deviations.clues.clue import Clue, part
from reference.deviations.clues.seeds import seeds, usual_seeds
from reference.deviations.deviation import VALUE, Deviation
from reference.deviations.source_edits import after, before, delete, imports, replace
from reference.lesson.recipe import Recipe

PIECES = imports("from reference.deviations import loop_parts")
REPLACE = imports("from dataclasses import replace")
LOSS = "loss = outputs.loss"
PROGRESS = "progress_bar = tqdm("
CROSS_ENTROPY = (
    "torch.nn.functional.cross_entropy(\n"
    '                    outputs.logits.float(), batch["labels"], {}\n'
    "                )"
)
# Between two epochs; after the last one the loop evaluates by itself.
EVALUATE = (
    "if completed_steps < num_training_steps:\n"
    "    model.eval()\n"
    "    for batch in eval_dataloader:\n"
    "        batch = {k: v.to(device) for k, v in batch.items()}\n"
    "        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):\n"
    "            model(**batch)"
)


def drops_out(recipe: Recipe, _rows: int) -> bool:
    return recipe.dropout > 0


def draws(recipe: Recipe, _rows: int) -> bool:
    """The global generator matters."""
    return recipe.dropout > 0 or recipe.data_order == "global"


def _training(clue: Clue) -> bool:
    """Their step was in eval mode, or they don't say."""
    return part(clue.theirs, "mode", "training") is not True


def _autocast(on: bool, clue: Clue) -> bool:
    return (part(clue.theirs, "mode", "autocast") != "off") is on


def _dropout(clue: Clue) -> list[float]:
    return [p for p in (0.0, 0.1, 0.2, 0.3, 0.05, 0.15, 0.25, 0.5) if p != clue.recipe.dropout]


def _first_step(clue: Clue) -> bool:
    return clue.step == 1


DEVIATIONS = (
    Deviation(
        "no-train-after-evaluation",
        28,
        # An evaluation's DataLoader draws a number, and that is seen before the mode.
        "rng",
        "The model is evaluated after each epoch and isn't put back into train mode.",
        "transformers#1703",
        "an evaluation, dropout > 0",
        (after("break", EVALUATE, depth=-2),),
        also=("mode", "metrics"),
        can_show=lambda recipe, rows: recipe.duration(recipe.batches_per_epoch(rows))[0] > 1,
        fits=lambda clue: clue.step > 1,
    ),
    Deviation(
        "evaluated-each-epoch",
        28,
        "rng",
        "The model is evaluated after each epoch, and the evaluation's DataLoader draws from the "
        "generator that dropout draws from.",
        "none",
        "more than one epoch",
        (after("break", f"{EVALUATE}\n    model.train()", depth=-2),),
        also=("batch", "metrics"),
        can_show=lambda recipe, rows: recipe.duration(recipe.batches_per_epoch(rows))[0] > 1,
        fits=lambda clue: clue.step > 1,
    ),
    Deviation(
        "eval-mode",
        29,
        "mode",
        "The model is never put into train mode: no dropout.",
        "none",
        "dropout > 0",
        (delete("model.train()"),),
        also=("rng", "forward"),
        hidden_with={"dropout": 0.0},
        can_show=drops_out,
        fits=_training,
    ),
    Deviation(
        "head-seed",
        30,
        "weights",
        "The new head was drawn before the recipe's seed was set: from another one, if any.",
        "transformers#11965",
        "a new head",
        (REPLACE, replace("load_model(recipe)", "load_model(replace(recipe, seed=VALUE))")),
        value=0,
        values=usual_seeds,
        fits=_first_step,
    ),
    Deviation(
        "another-seed",
        31,
        # The order first; where it isn't drawn from the seed, dropout or the head.
        "batch",
        "Another seed for everything.",
        "none",
        "dropout > 0 or shuffling, or a new head",
        (REPLACE, before("device = torch.device(", "recipe = replace(recipe, seed=VALUE)")),
        also=("rng", "weights"),
        value=43,
        values=seeds,
        fits=lambda clue: clue.step == 1 and not (clue.link == "batch" and same_rows(clue)),
    ),
    Deviation(
        "no-seed",
        31,
        "rng",
        "No seed is set once the model is made. Here one was set before; a run with none at all "
        "can't be repeated, nor proven.",
        "none",
        "dropout > 0 or shuffling by the global generator",
        (delete("set_seed(recipe.seed)"),),
        also=("batch",),
        hidden_with={"dropout": 0.0},
        can_show=draws,
        fits=_first_step,
    ),
    Deviation(
        "dropout-seed",
        31,
        "rng",
        "Another seed once the model is made: the head is the same, dropout isn't.",
        "none",
        "dropout > 0 or shuffling by the global generator",
        (replace("set_seed(recipe.seed)", "set_seed(VALUE)"),),
        also=("batch",),
        hidden_with={"dropout": 0.0},
        can_show=draws,
        value=43,
        values=usual_seeds,
        fits=_first_step,
    ),
    Deviation(
        "extra-draw",
        39,
        "rng",
        "Something draws a number from the global generator at each step.",
        "pytorch#36998",
        "dropout > 0",
        (before("num_samples = sum(", "torch.rand(1)"),),
        also=("batch",),
        hidden_with={"dropout": 0.0},
        can_show=draws,
    ),
    Deviation(
        "peeked-at-a-batch",
        39,
        "rng",
        "A batch is taken out before training to look at it, as the lesson does; this draws from "
        "the global generator.",
        "the lesson",
        "dropout > 0 or shuffling by the global generator",
        (before(PROGRESS, "next(iter(train_dataloader))"),),
        also=("batch",),
        hidden_with={"dropout": 0.0},
        can_show=draws,
        fits=_first_step,
    ),
    Deviation(
        "loss-summed",
        42,
        # The model is given the labels and computes its own loss too; the other is backpropagated.
        "gradient",
        "The loss is summed over the batch, not averaged.",
        "none",
        "always",
        (replace(LOSS, "loss = " + CROSS_ENTROPY.format('reduction="sum"')),),
        also=("forward",),
    ),
    Deviation(
        "label-smoothing",
        43,
        "gradient",
        "The labels are smoothed.",
        "none",
        "always",
        (replace(LOSS, "loss = " + CROSS_ENTROPY.format("label_smoothing=VALUE")),),
        also=("forward",),
        value=0.1,
        values=lambda _: (0.1, 0.05, 0.2, 0.01, 0.15, 0.3),
    ),
    Deviation(
        "class-weights",
        43,
        "gradient",
        "The classes are weighted by their counts.",
        "none",
        "always",
        (
            PIECES,
            after(LOADERS, "class_weights = loop_parts.class_weights(data, VALUE, device)"),
            replace(LOSS, "loss = " + CROSS_ENTROPY.format("weight=class_weights")),
        ),
        also=("forward",),
        value="balanced",
        values=lambda _: ("balanced", "inverse", "one minus share", "by the largest"),
    ),
    Deviation(
        "autocast",
        44,
        "mode",
        "The model computes in bfloat16 under autocast, and the recipe's doesn't.",
        "transformers#16588",
        "the recipe has no autocast",
        (replace('recipe.mixed_precision == "bf16"', "True"),),
        also=("forward",),
        hidden_with={"mixed_precision": "bf16"},
        sets={"mixed_precision": "bf16"},
        can_show=lambda recipe, _: recipe.mixed_precision == "no",
        fits=lambda clue: _autocast(True, clue),
    ),
    Deviation(
        "no-autocast",
        44,
        "mode",
        "The model computes in float32, and the recipe's in bfloat16 under autocast.",
        "transformers#16588",
        "the recipe has autocast",
        (replace('recipe.mixed_precision == "bf16"', "False"),),
        also=("forward",),
        shows_with={"mixed_precision": "bf16"},
        hidden_with={},
        sets={"mixed_precision": "no"},
        can_show=lambda recipe, _: recipe.mixed_precision == "bf16",
        fits=lambda clue: part(clue.theirs, "mode", "autocast") in (None, "off"),
    ),
    Deviation(
        "dropout",
        29,
        "forward",
        "Another rate of dropout.",
        "none",
        "always",
        (
            after(
                "model.to(device)",
                "for module in model.modules():\n"
                "    if isinstance(module, torch.nn.Dropout):\n"
                "        module.p = VALUE",
            ),
        ),
        also=("rng", "mode"),
        sets={"dropout": VALUE},
        value=0.2,
        values=_dropout,
    ),
)
