"""Deviations of the evaluation: what is evaluated, in which mode, and what is made of it."""

import math

from reference.deviations.anchors import EVALUATION, LOADERS, LOOP_PARTS, WITHOUT_GRADIENTS
from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.clue import MOST_PROCESSES, Clue, number, part
from reference.deviations.conditions import autocasts, drops_out, scores_f1
from reference.deviations.deviation import Deviation, Trial
from reference.deviations.source_edits import Edit, after, delete, replace

METRIC = "load_metric(recipe.task)"


def _eval_loader(options: str) -> tuple[Edit, ...]:
    """The evaluation's loader, with these options of DataLoader."""
    line = f"eval_dataloader = loop_parts.dataloader_with(eval_dataloader, {options})"
    return (LOOP_PARTS, after(LOADERS, line))


def _same_predictions(clue: Clue) -> bool:
    """Only what is made of the predictions differs."""
    ours, theirs = (part(r, "metrics", "predictions") for r in (clue.ours, clue.theirs))
    return bool(ours == theirs)


def _row_counts(clue: Clue) -> tuple[int, int] | None:
    """How many rows were evaluated, by us and by them."""
    ours, theirs = (number(part(r, "metrics", "count")) for r in (clue.ours, clue.theirs))
    return (int(ours), int(theirs)) if ours and theirs else None


def _other_count(clue: Clue) -> bool:
    counts = _row_counts(clue)
    return counts is None or counts[0] != counts[1]


def _same_count(clue: Clue) -> bool:
    counts = _row_counts(clue)
    return counts is None or counts[0] == counts[1]


def _twice_as_many(clue: Clue) -> bool:
    counts = _row_counts(clue)
    return counts is None or counts[1] == 2 * counts[0]


def _processes(clue: Clue) -> list[int]:
    """Numbers of processes that, with whole batches for each, have their number of rows."""
    counts = _row_counts(clue)
    if counts is None:
        return [2, 4, 8]
    ours, theirs = counts
    whole = {n: n * clue.recipe.eval_batch_size for n in range(1, MOST_PROCESSES + 1)}
    return [n for n, rows in whole.items() if theirs == math.ceil(ours / rows) * rows > ours]


DEVIATIONS = (
    Deviation(
        name="averages-batch-scores",
        row=45,
        link="metrics",
        summary=(
            "The scores are those of each batch, averaged: a smaller last batch weighs too much, "
            "and F1 isn't a mean at all."
        ),
        shows_when="a last, smaller batch; with F1, more than one batch",
        citation="transformers#16716",
        edits=(LOOP_PARTS, replace(METRIC, "loop_parts.AverageOfBatches(recipe.task)")),
        suggested_by=_same_predictions,
        hidden_in_recipe={"eval_batch_size": 20},
    ),
    Deviation(
        name="counts-padded-duplicates",
        row=46,
        link="metrics",
        summary=(
            "Rows that were repeated to give each of several processes whole batches are scored "
            "twice (here in one process, over the set that is so filled up)."
        ),
        shows_when="processes > 1, uneven",
        citation="accelerate#226; accelerate#575",
        edits=_eval_loader(
            "sampler=loop_parts.PaddedWithRepeats(\n"
            "    len(data.validation), VALUE * recipe.eval_batch_size\n"
            ")"
        ),
        default_value=2,
        values_to_try=_processes,
        hidden_in_recipe={"eval_batch_size": 10},
    ),
    Deviation(
        name="evaluation-in-train-mode",
        row=47,
        link="metrics",
        summary="The model is evaluated in train mode, with dropout.",
        shows_when="dropout > 0",
        citation=NO_REPORT,
        edits=(delete("model.eval()"),),
        suggested_by=lambda clue: part(clue.theirs, "metrics", "training") is not False,
        applies_to=drops_out,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="f1-of-class-0",
        row=48,
        link="metrics",
        summary="F1 is that of class 0.",
        shows_when="the task is scored by F1",
        citation=NO_REPORT,
        edits=(LOOP_PARTS, replace(METRIC, 'loop_parts.OtherF1(recipe.task, "class 0")')),
        suggested_by=_same_predictions,
        applies_to=scores_f1,
    ),
    Deviation(
        name="f1-averaged",
        row=48,
        link="metrics",
        summary="F1 is averaged over the classes.",
        shows_when="the task is scored by F1",
        citation=NO_REPORT,
        edits=(LOOP_PARTS, replace(METRIC, "loop_parts.OtherF1(recipe.task, VALUE)")),
        default_value="macro",
        values_to_try=lambda _: ("macro", "weighted", "micro"),
        suggested_by=_same_predictions,
        applies_to=scores_f1,
    ),
    Deviation(
        name="evaluation-drops-last-batch",
        row=45,
        link="metrics",
        summary="The last batch of the evaluation is dropped where it is smaller.",
        shows_when="a last, smaller batch",
        citation=NO_REPORT,
        edits=_eval_loader("drop_last=True"),
        suggested_by=_other_count,
        in_matrix=Trial(recipe={"eval_batch_size": 16}),  # 408 pairs are 51 whole batches of 8
        hidden_in_recipe={"eval_batch_size": 10},
    ),
    Deviation(
        name="evaluated-twice",
        row=45,
        link="metrics",
        summary=(
            "After its last step the model is evaluated twice: where an epoch or so many steps "
            "end, and then once more for the scores."
        ),
        shows_when="always",
        citation="huggingface/sentence-transformers#1784",
        edits=(after("model.eval()", EVALUATION.replace("eval_dataloader", "dataloader")),),
        suggested_by=_twice_as_many,
    ),
    Deviation(
        name="evaluated-on-training-set",
        row=45,
        link="metrics",
        summary="The training split is evaluated, not the validation split.",
        shows_when="always",
        citation=NO_REPORT,
        edits=_eval_loader("dataset=data.train, sampler=None"),
    ),
    Deviation(
        name="evaluation-without-autocast",
        row=44,
        link="metrics",
        summary="The model is evaluated in float32, and the recipe's in bfloat16 under autocast.",
        shows_when="the recipe has autocast",
        citation=NO_REPORT,
        edits=(replace(WITHOUT_GRADIENTS, "with torch.no_grad():"),),
        suggested_by=_same_count,
        applies_to=autocasts,
        shows_in_recipe={"mixed_precision": "bf16"},
        hidden_in_recipe={"mixed_precision": "no"},
    ),
)
