"""GLUE's classification tasks: one row each. A further task is a further row.

Look at one: `python -m reference data --task sst2`

Columns and labels are those of the hub's `nyu-mll/glue`; file names and headers those of the
official GLUE directory; metrics those of the GLUE paper (Wang et al., 2018, table 1).
"""

from dataclasses import dataclass

from reference.errors import InputError
from reference.messages import nearest


@dataclass(frozen=True)
class Task:
    """One GLUE task: how it is named in each place, its text columns, labels and metrics."""

    name: str  # in the hub's dataset, and the metric's `config_name`
    folder: str  # in the official GLUE directory
    text: tuple[str, ...]  # the hub's text columns: a pair, or one sentence
    labels: tuple[str, ...]  # the hub's label names, in the order of their numbers
    tsv: tuple[str, ...]  # the same columns in GLUE's own files: texts, then the label
    metrics: tuple[str, ...] = ("accuracy",)
    dev: str = "dev"  # GLUE's file of the validation split
    validation: str = "validation"  # the hub's name of it
    headless: tuple[str, ...] = ()  # the columns of train and dev where these have no header
    label_words: bool = False  # GLUE's files hold the label's name, not its number


_ENTAILMENT = ("entailment", "not_entailment")

TASKS = {
    task.name: task
    for task in (
        Task(
            "mrpc",
            "MRPC",
            ("sentence1", "sentence2"),
            ("not_equivalent", "equivalent"),
            ("#1 String", "#2 String", "Quality"),
            metrics=("accuracy", "f1"),
        ),
        Task("sst2", "SST-2", ("sentence",), ("negative", "positive"), ("sentence", "label")),
        Task(
            "cola",
            "CoLA",
            ("sentence",),
            ("unacceptable", "acceptable"),
            ("sentence", "label"),
            metrics=("matthews_correlation",),
            headless=("source", "label", "star", "sentence"),
        ),
        Task(
            "rte",
            "RTE",
            ("sentence1", "sentence2"),
            _ENTAILMENT,
            ("sentence1", "sentence2", "label"),
            label_words=True,
        ),
        Task(
            "qnli",
            "QNLI",
            ("question", "sentence"),
            _ENTAILMENT,
            ("question", "sentence", "label"),
            label_words=True,
        ),
        Task(
            "qqp",
            "QQP",
            ("question1", "question2"),
            ("not_duplicate", "duplicate"),
            ("question1", "question2", "is_duplicate"),
            metrics=("accuracy", "f1"),
        ),
        Task(
            "mnli",
            "MNLI",
            ("premise", "hypothesis"),
            ("entailment", "neutral", "contradiction"),
            ("sentence1", "sentence2", "gold_label"),
            dev="dev_matched",
            validation="validation_matched",
            label_words=True,
        ),
        Task(
            "wnli",
            "WNLI",
            ("sentence1", "sentence2"),
            ("not_entailment", "entailment"),
            ("sentence1", "sentence2", "label"),
        ),
    )
}


def get_task(name: str) -> Task:
    """The row of a task; InputError, with the nearest name, for an unknown one."""
    if name == "stsb":
        raise InputError("task 'stsb' is a regression; known: " + ", ".join(TASKS))
    if name not in TASKS:
        raise nearest("task", name, TASKS)
    return TASKS[name]
