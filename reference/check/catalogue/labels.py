"""Labels that are none, or the inputs; padding that no mask marks."""

from math import prod

from reference.check.finding import CHORES, Evidence, Finding, Level, in_steps
from reference.check.step import Given, Step, finite, inputs_of
from reference.check.training import Training
from reference.ledger.record import Record

# Models that shift the labels by themselves: theirs are the ids.
SHIFTING = ("CausalLM", "LMHead", "DoubleHeads", "Seq2Seq", "ConditionalGeneration")


# Models whose labels are classes of positions, and never the ids.
CLASSIFYING = ("MaskedLM", "TokenClassification", "ForPreTraining")


def _passes(training: Training) -> list[tuple[Step, Record]]:
    return [(step, batch) for step in training.steps for batch in step.batch]


def _labels(batch: Record) -> list[Given]:
    return [given for given in inputs_of(batch) if given.is_label]


def _ignored(training: Training) -> list[int]:
    """The steps in which every label of a pass is left out by the loss.

    A model of several tasks has labels for each; of a batch of one task, those of the others are
    left out.
    """
    found = []
    for step, batch in _passes(training):
        labels = [given for given in _labels(batch) if prod(given.shape)]
        if labels and all(given.ignored == prod(given.shape) for given in labels):
            found.append(step.number)
    return list(dict.fromkeys(found))


def all_ignored(training: Training) -> Evidence | None:
    """In most steps nothing is to be learnt."""
    steps = _ignored(training)
    if not steps or len(steps) < len(training.steps) / 2:
        return None
    learns = [s for s in training.steps if s.number in steps and finite(s.gradient.get("norm"))]
    return Evidence(
        f"{in_steps(steps, len(training.steps))} every label is -100"
        + (", though there is a gradient: of another loss" if learns else ""),
        steps,
        is_plain=not learns,
    )


def sometimes_ignored(training: Training) -> Evidence | None:
    """In some steps nothing is to be learnt from a batch."""
    steps = _ignored(training)
    if not steps or len(steps) >= len(training.steps) / 2:
        return None
    words = f"{in_steps(steps, len(training.steps))} every label of a batch is -100"
    return Evidence(words, steps)


def _are_inputs(batch: Record, kind: str) -> str | None:
    """Which input the labels are; None where they are no input."""
    inputs = list(inputs_of(batch))
    for label in _labels(batch):
        shifts = any(word in kind for word in SHIFTING)
        if label.constant is not None or label.ignored == prod(label.shape) or shifts:
            continue
        if label.unlike_ids == 0 and len(label.shape) > 1:
            return "input_ids"
        for given in inputs:
            same = (given.hash, given.shape, given.type) == (label.hash, label.shape, label.type)
            if same and not given.is_label:
                return given.name
    return None


def _label_steps(training: Training, *, classifies: bool) -> Evidence | None:
    found: list[int] = []
    which = ""
    for step, batch in _passes(training):
        kind = training.classes.get(int(batch.get("model", 0)), "")
        if any(word in kind for word in CLASSIFYING) != classifies:
            continue
        name = _are_inputs(batch, kind)
        if name is not None:
            found.append(step.number)
            which = name
    if len(found) < len(training.steps) / 2:
        return None
    steps = list(dict.fromkeys(found))
    words = f"{in_steps(steps, len(training.steps))} the labels are the values of {which}"
    return Evidence(words, steps, {"input": which})


def labels_are_ids(training: Training) -> Evidence | None:
    """The labels of a model that classifies positions are its ids."""
    return _label_steps(training, classifies=True)


def labels_are_an_input(training: Training) -> Evidence | None:
    """The labels of another model are one of its inputs."""
    return _label_steps(training, classifies=False)


def no_mask(training: Training) -> Evidence | None:
    """The ids end in padding, and the model is given no mask."""
    found = []
    places = 0
    for step in training.steps:
        padded = step.chores.get("padded", [])
        for batch, count in zip(step.batch, padded, strict=False):
            kind = training.classes.get(int(batch.get("model", 0)), "")
            if count and not any(word in kind for word in SHIFTING):
                found.append(step.number)
                places += count
    if not found:
        return None
    steps = list(dict.fromkeys(found))
    return Evidence(
        f"{in_steps(steps, len(training.steps))} input_ids end in padding ({places} places in "
        "all), and there is no attention_mask",
        steps,
        {"places": places},
    )


FINDINGS = (
    Finding(
        name="all-labels-ignored",
        level=Level.WRONG,
        claim="all labels are left out by the loss",
        link="batch: labels that are -100",
        remedy="see what sets labels to -100: a collator that takes the end of text for padding, "
        "or a prompt as long as the row",
        find=all_ignored,
        or_look=True,
    ),
    Finding(
        name="labels-ignored-at-times",
        level=Level.LOOK,
        claim="all labels of some batches are left out by the loss",
        link="batch: labels that are -100",
        remedy="see which rows these are; a mean over no labels is NaN",
        find=sometimes_ignored,
    ),
    Finding(
        name="labels-are-the-ids",
        level=Level.WRONG,
        claim="the labels are the inputs",
        link="batch: labels and inputs",
        remedy="mask the inputs (DataCollatorForLanguageModeling), or give the classes as labels",
        find=labels_are_ids,
    ),
    Finding(
        name="labels-are-an-input",
        level=Level.LOOK,
        claim="the labels are one of the inputs",
        link="batch: labels and inputs",
        remedy="give the model what it is to predict as labels, and not as an input; nothing, "
        "where it shifts them by itself, or is to give back what it gets",
        find=labels_are_an_input,
    ),
    Finding(
        name="padding-without-mask",
        level=Level.LIKELY,
        claim="padding is attended to",
        link="batch: padding and masks",
        remedy="pass attention_mask as the tokenizer gives it: without one this model attends to "
        "all places",
        find=no_mask,
        needs=(CHORES,),
    ),
)
