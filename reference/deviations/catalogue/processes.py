"""Deviations that only several processes can have: edits of the Accelerate loop.

What can't show with this lesson stands in docs/several-processes.md.
"""

from reference.deviations.anchors import LOADERS, LOOP_PARTS, REPLACE
from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.batches import seen_before
from reference.deviations.clues.clue import Clue
from reference.deviations.clues.gradients import norm_ratio
from reference.deviations.conditions import (
    accumulates,
    draws,
    has_several_epochs,
    has_smaller_batch,
    shuffles,
)
from reference.deviations.deviation import ACCELERATED, Deviation
from reference.deviations.source_edits import Edit, after, delete, replace
from reference.lesson.recipe import Recipe

SCALED = "loss = outputs.loss * weight"
GATHERED = "accelerator.gather_for_metrics("
EACH_BATCH = "for batch, weight in batches:"
SYNCHRONISED = "model.require_backward_grad_sync"  # what DDP's `no_sync` sets


def _shares(options: str) -> tuple[Edit, ...]:
    """The training batches, shared out in another way."""
    line = f"train_dataloader = loop_parts.shared_anew(train_dataloader, {options})"
    return (LOOP_PARTS, after(LOADERS, line))


def _loaders_of(change: str) -> tuple[Edit, ...]:
    """The loaders of another recipe."""
    loaders = "get_dataloaders(recipe, data)"
    return (REPLACE, replace(loaders, f"get_dataloaders(replace(recipe, {change}), data)"))


def _is_larger(clue: Clue) -> bool:
    return (norm_ratio(clue) or 2.0) > 1.0


def _exact(recipe: Recipe, _rows: int) -> bool:
    """Each process has its part of each batch."""
    return recipe.sharing == "exact"


DEVIATIONS = (
    Deviation(
        name="scheduler-stepped-by-each-process",
        row=12,
        loop=ACCELERATED,
        link="schedule",
        summary=(
            "A prepared schedule steps once for each process at every step, as Accelerate has it "
            "by default, though its length is counted in steps: the rate is 0 from the middle on."
        ),
        shows_when="always",
        citation="accelerate#1398; accelerate#2142; accelerate#2926",
        edits=(delete("step_scheduler_with_optimizer=False"),),
    ),
    Deviation(
        name="gradients-summed",
        row=18,
        loop=ACCELERATED,
        link="gradient",
        summary=(
            "Gradients are summed over the processes, not averaged, as in the stock Trainer with "
            "BERT."
        ),
        shows_when="always",
        citation="transformers#47688",
        edits=(replace(SCALED, "loss = outputs.loss * weight * accelerator.num_processes"),),
        suggested_by=_is_larger,
    ),
    Deviation(
        name="mean-of-process-means",
        row=20,
        loop=ACCELERATED,
        link="gradient",
        summary=(
            "Each process's mean loss weighs the same, however many rows it has: in a last batch "
            "that can't be shared evenly a row weighs more on one process than on another."
        ),
        shows_when="a last batch that can't be shared evenly",
        citation=NO_REPORT,
        edits=(replace(SCALED, "loss = outputs.loss / len(batches)"),),
        applies_to=lambda recipe, rows: _exact(recipe, rows) and has_smaller_batch(recipe, rows),
    ),
    Deviation(
        name="averaged-once-a-step",
        row=25,
        loop=ACCELERATED,
        link="gradient",
        summary=(
            "Gradients are added up on each process and averaged once a step, as `no_sync` has it; "
            "this loop averages them after each batch, which is the same but for rounding."
        ),
        shows_when="accumulation > 1",
        citation="accelerate#106",
        edits=(after(EACH_BATCH, f"{SYNCHRONISED} = batch is batches[-1][0]", depth=1),),
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
        hidden_in_recipe={"gradient_accumulation_steps": 1},
    ),
    Deviation(
        name="last-micro-batch-not-averaged",
        row=25,
        loop=ACCELERATED,
        link="gradient",
        summary=(
            "`no_sync` is around the last batch of a step and not around the others, so that each "
            "process steps by a gradient that is partly its own, and the weights drift apart."
        ),
        shows_when="accumulation > 1",
        citation="modelscope/FunASR#3472",
        edits=(after(EACH_BATCH, f"{SYNCHRONISED} = batch is batches[0][0]", depth=1),),
        applies_to=accumulates,
        shows_in_recipe={"gradient_accumulation_steps": 2},
    ),
    Deviation(
        name="gradients-not-averaged",
        row=25,
        loop=ACCELERATED,
        link="gradient",
        summary=(
            "`no_sync` is around every batch, so that each process trains a model of its own by "
            "its own gradients."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=(after(EACH_BATCH, f"{SYNCHRONISED} = False", depth=1),),
    ),
    Deviation(
        name="dropout-seed-of-each-process",
        row=31,
        loop=ACCELERATED,
        link="rng",
        summary=(
            "Each process has a seed of its own once the model is made, seed + rank: other dropout."
        ),
        shows_when="dropout > 0",
        citation="facebookresearch/detr#297",
        edits=(
            replace("set_seed(recipe.seed)", "set_seed(recipe.seed + accelerator.process_index)"),
        ),
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="order-of-each-process",
        row=31,
        loop=ACCELERATED,
        link="batch",
        summary=(
            "Each process draws an order of its own, by seed + rank: of an epoch's rows some are "
            "trained on twice, and others not at all."
        ),
        shows_when="shuffling, in the seeded order",
        citation="NVlabs/LongLive#71",
        edits=(
            *_loaders_of("seed=recipe.seed + accelerator.process_index"),
            *_shares("loop_parts.OwnOrder"),
        ),
        applies_to=lambda recipe, rows: _exact(recipe, rows) and recipe.data_order == "seeded",
    ),
    Deviation(
        name="copies-of-one-generator",
        row=32,
        loop=ACCELERATED,
        link="batch",
        summary=(
            "Each process draws the order from a copy of one generator, and takes it for granted "
            "that the copies stay alike: dropout moves them apart within the first epoch."
        ),
        shows_when="the order is drawn from the global generator, dropout > 0, from epoch 2",
        citation=NO_REPORT,
        edits=_shares("loop_parts.OwnOrder"),
        applies_to=lambda recipe, rows: (
            _exact(recipe, rows)
            and recipe.data_order == "global"
            and recipe.dropout > 0
            and has_several_epochs(recipe, rows)
        ),
        shows_in_recipe={"data_order": "global"},
        hidden_in_recipe={"data_order": "global", "dropout": 0.0},
    ),
    Deviation(
        name="set-epoch-forgotten",
        row=33,
        loop=ACCELERATED,
        link="batch",
        summary="`set_epoch` is never called: the rows come in the first epoch's order in each.",
        shows_when="from epoch 2",
        citation="pytorch#31771; lucidrains/DALLE-pytorch#230",
        edits=_shares("order=loop_parts.SameOrder"),
        suggested_by=seen_before,
        applies_to=lambda recipe, rows: _exact(recipe, rows) and shuffles(recipe, rows),
        hidden_in_recipe={"num_train_epochs": 1},
    ),
    Deviation(
        name="split-batches",
        row=34,
        loop=ACCELERATED,
        link="batch",
        summary=(
            "Accelerate's split_batches, and the Trainer's way: a last batch that is smaller is "
            "filled up with the epoch's first rows, which are trained on twice."
        ),
        shows_when="a last, smaller batch",
        citation="accelerate#684",
        edits=_loaders_of('sharing="split"'),
        applies_to=lambda recipe, rows: recipe.sharing != "split",
        replaces_fields={"sharing": "split"},
        hidden_in_recipe={"sharing": "split"},
    ),
    Deviation(
        name="whole-batches",
        row=34,
        loop=ACCELERATED,
        link="batch",
        also_in=("schedule",),
        summary=(
            "Accelerate's default: each process takes whole batches in turn, so that a step has as "
            "many as there are processes, and the run that many fewer steps."
        ),
        shows_when="always",
        citation="accelerate#2142",
        edits=_loaders_of('sharing="whole"'),
        applies_to=lambda recipe, rows: recipe.sharing != "whole",
        replaces_fields={"sharing": "whole"},
        hidden_in_recipe={"sharing": "whole"},
        changes_length=True,
    ),
    Deviation(
        name="rows-dealt-in-turn",
        row=34,
        loop=ACCELERATED,
        link="batch",
        summary=(
            "A batch's rows are dealt out one by one, as `DistributedSampler` deals them: the same "
            "rows in a step, beside others, and so padded otherwise."
        ),
        shows_when="always",
        citation=NO_REPORT,
        edits=_shares("loop_parts.DealtInTurn"),
        applies_to=_exact,
    ),
    Deviation(
        name="batch-skipped-by-one-process",
        row=34,
        loop=ACCELERATED,
        link="batch",
        summary=(
            "The last process skips the first batch of an epoch, and is one ahead of the others "
            "from there on."
        ),
        shows_when="more than one batch in an epoch",
        citation=NO_REPORT,
        edits=_shares("loop_parts.BatchAhead"),
        applies_to=_exact,
    ),
    Deviation(
        name="repeated-rows-scored",
        row=46,
        loop=ACCELERATED,
        link="metrics",
        summary=(
            "`gather` in the place of `gather_for_metrics`: rows that were repeated so that all "
            "processes have as many are scored, too."
        ),
        shows_when="an evaluation that can't be shared evenly",
        citation="accelerate#226; accelerate#575",
        edits=(replace(GATHERED, "accelerator.gather("),),
    ),
    Deviation(
        name="scores-of-one-process",
        row=46,
        loop=ACCELERATED,
        link="metrics",
        summary="Each process scores its own share, and what rank 0 says is taken for all.",
        shows_when="always",
        citation="Nota-NetsPresso/netspresso-trainer#342",
        edits=(replace(f"{GATHERED}(predictions, labels, loss))", "predictions, labels, loss"),),
    ),
)
