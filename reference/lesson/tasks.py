"""GLUE's nine tasks, one row each, and the two kinds of task on a table of one's own.

Look at one: `python -m reference data --task sst2`

Columns and labels are those of the hub's `nyu-mll/glue`; file names and headers those of the
official GLUE directory; metrics those of the GLUE paper (Wang et al., 2018, table 1). Of a table
of one's own the recipe names the columns, and the labels are the table's: see `data/own_table.py`.
"""

from dataclasses import dataclass

from reference.messages import nearest


@dataclass(frozen=True)
class Task:
    """One task: how it is named in each place, its text columns, labels and metrics."""

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
    regression: bool = False  # labels are numbers; the one name in `labels` is the output's
    label: str = "label"  # the column of it under the hub's names
    own: bool = False  # a table that isn't GLUE's


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
            "stsb",
            "STS-B",
            ("sentence1", "sentence2"),
            ("similarity",),
            ("sentence1", "sentence2", "score"),
            metrics=("pearson", "spearmanr"),
            regression=True,
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

OWN_TASKS = {
    task.name: task
    for task in (
        Task("classification", "", (), (), (), metrics=("accuracy", "f1"), own=True),
        Task(
            "regression",
            *("", (), ("value",), ()),
            metrics=("pearson", "spearmanr"),
            regression=True,
            own=True,
        ),
    )
}


def get_task(name: str) -> Task:
    """The row of a task; InputError, with the nearest name, for an unknown one.

    Of a table of one's own it lacks the columns, and the labels: `data.own_table.task_of` has them.
    """
    known = TASKS | OWN_TASKS
    if name not in known:
        raise nearest("task", name, known)
    return known[name]
