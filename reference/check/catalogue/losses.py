"""Losses: not finite, growing, summed, not divided by what is accumulated, of probabilities."""

import math
from collections.abc import Iterator, Sequence
from statistics import median

from reference.check.finding import (
    CHORES,
    LOSSES,
    Evidence,
    Finding,
    Level,
    in_steps,
)
from reference.check.step import Step, finite, inputs_of
from reference.check.training import Training
from reference.ledger.record import Record

FEW = 10  # steps: a loss moves much in a few
QUARTER = 4
GROWS = 2.0  # times as large at the end as at the beginning
CLOSE = 1e-5  # of 1: how far the sum of probabilities is from it in float32
LOGITS = ("logits", "output")
CROSS_ENTROPY = "CrossEntropyLoss"
CLASSIFIER = "SequenceClassification"
SUM = "sum"


def not_finite(training: Training) -> Evidence | None:
    """A loss isn't finite."""
    bad = [s for s in training.steps if any(isinstance(loss, str) for loss in s.losses)]
    if not bad:
        return None
    first = bad[0]
    word = next(loss for loss in first.losses if isinstance(loss, str))
    before = next((s for s in training.steps if s.number == first.number - 1), None)
    known = "" if before is None or before.loss is None else f"; before that it is {before.loss:g}"
    return Evidence(
        f"{in_steps([s.number for s in bad], len(training.steps))} the loss is {word}{known}, at a "
        f"learning rate of {first.rate}",
        [s.number for s in bad],
        {"loss": word, "learning_rate": first.rate},
    )


def grows(training: Training) -> Evidence | None:
    """The loss is far larger at the end than at the beginning."""
    if len(training.by_optimizer) > 1:
        return None  # each of two that are at odds may lose
    losses = [step.loss for step in training.steps]
    known = [loss for loss in losses if loss is not None]
    if len(known) < FEW or len(known) < len(losses) or min(known) <= 0:
        return None
    part = max(1, len(known) // QUARTER)
    first, last = median(known[:part]), median(known[-part:])
    if last < GROWS * min(first, known[0]):
        return None
    return Evidence(
        f"the loss is {known[0]:.4g} in the first step, and {last:.4g} in the median of the last "
        f"{part}",
        values={"first": known[0], "last": last},
    )


def _answers(training: Training) -> Iterator[tuple[Step, Record, list[list[float]]]]:
    """Steps whose outputs' values the ledger has, as rows of classes."""
    for step in training.steps:
        for output in step.outputs:
            name = next((name for name in LOGITS if isinstance(output.get(name), list)), None)
            if name is None:
                continue
            _, shape, values = output[name][:3]
            if not isinstance(values, list):
                continue
            if len(shape) == 2 and shape[1] > 1 and len(values) == shape[0] * shape[1]:
                numbers = [finite(value) for value in values]
                known = [number for number in numbers if number is not None]
                if len(known) == len(numbers):
                    width = shape[1]
                    rows = [known[i : i + width] for i in range(0, len(known), width)]
                    yield step, output, rows


def _largest_mean(rows: Sequence[Sequence[float]]) -> float:
    """The mean cross entropy of these logits, were each label the least likely class."""
    return sum(
        max(row) + math.log(sum(math.exp(x - max(row)) for x in row)) - min(row) for row in rows
    ) / len(rows)


def summed(training: Training) -> Evidence | None:
    """A loss is a sum over its rows, by its module's word or by its size, and nobody divides it."""
    by_word = [n for n, v in training.settings.items() if n.endswith(".reduction") and v == SUM]
    divided = [s for s in training.steps if _divides(s)]
    if len(divided) > len(training.steps) / 2:
        return None
    if by_word:
        words = f"{by_word[0].rpartition('.')[0]} sums over the rows of a batch (reduction='sum')"
        return Evidence(words, values={"settings": by_word})
    return _larger_than_a_mean(training)


def _divides(step: Step) -> bool:
    """Whether what a loss is multiplied by makes less of it."""
    scales = [finite(scale) for scale in step.chores.get("scales", ())]
    return any(scale is not None and scale < 1 for scale in scales)


def _larger_than_a_mean(training: Training) -> Evidence | None:
    """The loss of a classifier of rows is larger than the mean of a cross entropy can be."""
    found, seen = [], 0
    for step, output, rows in _answers(training):
        loss = finite(output.get("loss"))
        if loss is None or not _classifies_rows(training, step):
            continue
        seen += 1
        if len(rows) > 1 and loss > _largest_mean(rows) * (1 + CLOSE):
            found.append((step, loss, rows))
    if len(found) < 2 or len(found) < seen / 2:
        return None
    step, loss, rows = found[0]
    return Evidence(
        f"in step {step.number} the loss is {loss:.4g}; the mean cross entropy of these "
        f"{len(rows)} rows is at most {_largest_mean(rows):.4g}; so it is in {len(found)} of "
        f"{seen} steps",
        [s.number for s, _, _ in found],
        {"loss": loss, "at_most": _largest_mean(rows), "rows": len(rows)},
    )


def _classifies_rows(training: Training, step: Step) -> bool:
    """Whether its model is one for classes of rows, and is given one class for each."""
    kind = training.classes.get(step.model, "")
    labels = [g for batch in step.batch for g in inputs_of(batch) if g.is_label]
    return CLASSIFIER in kind and all(len(g.shape) == 1 and g.type == "int64" for g in labels)


def of_probabilities(training: Training) -> Evidence | None:
    """A cross entropy takes what is a probability already."""
    found = [step.number for step in training.steps if step.chores.get("probabilities")]
    if len(found) < 2 or len(found) < len(training.steps) / 2:
        return None
    return Evidence(
        f"{in_steps(found, len(training.steps))} {CROSS_ENTROPY} is given rows that sum to 1, and "
        "takes the softmax of them again",
        found,
    )


FINDINGS = (
    Finding(
        name="loss-not-finite",
        level=Level.WRONG,
        claim="the loss is not finite",
        link="forward: whether the loss is finite",
        remedy="lower the learning rate, or look at the first such step's batch: all labels left "
        "out, a division by zero, a number beyond float16",
        find=not_finite,
        needs=(LOSSES,),
    ),
    Finding(
        name="loss-grows",
        level=Level.LOOK,
        claim="the loss grows",
        link="forward: how the loss goes on",
        remedy="nothing, where a term of it is weighted more and more; else lower the learning "
        "rate; see the sign of the loss, and whether gradients are zeroed",
        find=grows,
        needs=(LOSSES,),
    ),
    Finding(
        name="loss-summed",
        level=Level.LOOK,
        claim="the loss is a sum over the batch",
        link="forward: the settings of loss modules, and the loss beside its logits",
        remedy="take reduction='mean', or a learning rate and a clip that fit this batch size",
        find=summed,
    ),
    Finding(
        name="softmax-twice",
        level=Level.LIKELY,
        claim="a softmax stands before a loss that takes one itself",
        link="forward: what a cross entropy is given",
        remedy="give CrossEntropyLoss the logits, without softmax",
        find=of_probabilities,
        needs=(CHORES,),
    ),
)
