"""Deviations of the evaluation: what is evaluated, in which mode, and what is made of it.

Try one: `python -m reference explain LEDGER`
"""

import math
from typing import Any

from reference.deviations.catalogue.batches import LOADERS
from reference.deviations.clues.clue import MOST_PROCESSES, Clue, number, part
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import Edit, after, delete, imports, replace
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task

PIECES = imports("from reference.deviations import loop_parts")
METRIC = "load_metric(recipe.task)"
AUTOCAST = "with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):"


def _loader(options: str) -> tuple[Edit, ...]:
    line = f"eval_dataloader = loop_parts.rebuilt(eval_dataloader, {options})"
    return (PIECES, after(LOADERS, line))


def scores_f1(recipe: Recipe, _rows: int) -> bool:
    return "f1" in get_task(recipe.task).metrics


def _metric(record: Any, name: str) -> Any:
    return part(record, "metrics", name)


def _same_predictions(clue: Clue) -> bool:
    """Only what is made of the predictions differs."""
    return bool(_metric(clue.ours, "predictions") == _metric(clue.theirs, "predictions"))


def _counts(clue: Clue) -> tuple[int, int] | None:
    ours, theirs = (number(_metric(r, "count")) for r in (clue.ours, clue.theirs))
    return (int(ours), int(theirs)) if ours and theirs else None


def _processes(clue: Clue) -> list[int]:
    """So many processes with whole batches make their number of rows out of ours."""
    counts = _counts(clue)
    if counts is None:
        return [2, 4, 8]
    rows, theirs = counts
    batch = clue.recipe.eval_batch_size
    return [
        n
        for n in range(1, MOST_PROCESSES + 1)
        if theirs > rows and math.ceil(rows / (n * batch)) * n * batch == theirs
    ]


def _same_count(clue: Clue) -> bool:
    counts = _counts(clue)
    return counts is None or counts[0] == counts[1]


DEVIATIONS = (
    Deviation(
        "averages-batch-scores",
        45,
        "metrics",
        "The scores are those of each batch, averaged: a smaller last batch weighs too much, and "
        "F1 isn't a mean at all.",
        "transformers#16716",
        "a last, smaller batch; with F1, more than one batch",
        (PIECES, replace(METRIC, "loop_parts.AverageOfBatches(recipe.task)")),
        hidden_with={"eval_batch_size": 20},
        fits=_same_predictions,
    ),
    Deviation(
        "counts-padded-duplicates",
        46,
        "metrics",
        "Rows that were repeated to give each of several processes whole batches are scored twice "
        "(here in one process, over the set that is so filled up).",
        "accelerate#226, accelerate#575",
        "processes > 1, uneven",
        _loader(
            "sampler=loop_parts.PaddedWithRepeats(\n"
            "    len(data.validation), VALUE * recipe.eval_batch_size\n"
            ")"
        ),
        hidden_with={"eval_batch_size": 10},
        value=2,
        values=_processes,
    ),
    Deviation(
        "evaluation-in-train-mode",
        47,
        "metrics",
        "The model is evaluated in train mode, with dropout.",
        "none",
        "dropout > 0",
        (delete("model.eval()"),),
        hidden_with={"dropout": 0.0},
        can_show=lambda recipe, _: recipe.dropout > 0,
        fits=lambda clue: _metric(clue.theirs, "training") is not False,
    ),
    Deviation(
        "f1-of-class-0",
        48,
        "metrics",
        "F1 is that of class 0.",
        "none",
        "the task is scored by F1",
        (PIECES, replace(METRIC, 'loop_parts.OtherF1(recipe.task, "class 0")')),
        can_show=scores_f1,
        fits=_same_predictions,
    ),
    Deviation(
        "f1-averaged",
        48,
        "metrics",
        "F1 is averaged over the classes.",
        "none",
        "the task is scored by F1",
        (PIECES, replace(METRIC, "loop_parts.OtherF1(recipe.task, VALUE)")),
        can_show=scores_f1,
        value="macro",
        values=lambda _: ("macro", "weighted", "micro"),
        fits=_same_predictions,
    ),
    Deviation(
        "evaluation-drops-last-batch",
        45,
        "metrics",
        "The last batch of the evaluation is dropped where it is smaller.",
        "none",
        "a last, smaller batch",
        _loader("drop_last=True"),
        hidden_with={"eval_batch_size": 10},
        fits=lambda clue: not _same_count(clue) or _counts(clue) is None,
    ),
    Deviation(
        "evaluated-on-training-set",
        45,
        "metrics",
        "The training split is evaluated, not the validation split.",
        "none",
        "always",
        _loader("dataset=data.train, sampler=None"),
    ),
    Deviation(
        "evaluation-without-autocast",
        44,
        "metrics",
        "The model is evaluated in float32, and the recipe's in bfloat16 under autocast.",
        "none",
        "the recipe has autocast",
        (replace(AUTOCAST, "with torch.no_grad():"),),
        shows_with={"mixed_precision": "bf16"},
        hidden_with={},
        can_show=lambda recipe, _: recipe.mixed_precision == "bf16",
        fits=_same_count,
    ),
)
