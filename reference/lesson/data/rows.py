"""What a row may hold, the same for every source: texts, and a label that the task knows.

    python -m reference data --data FOLDER

Plain Python, so that a bad row is refused before torch and `datasets` are imported.
"""

import math
from collections.abc import Callable
from typing import Any

from reference.errors import InputError
from reference.lesson.data.readers import Columns, Split
from reference.lesson.tasks import Task
from reference.messages import brief

UNLABELLED = -1  # as in GLUE's test splits


def checked_rows(task: Task, name: str, split: Split) -> Columns:
    """The columns of one split, each row looked at.

    Args:
        task: whose columns and labels they are.
        name: `train`, `validation` or `test`.
        split: where each row stands, and the columns as they were read.

    Returns:
        The task's texts (str), `label` (the number of the label; -1 in a test split without labels;
        or the number of a regression) and `idx` (the row's number, from 0), each a list with one
        entry a row.

    Raises:
        InputError: names file, row and field of the first row of no use.
    """
    where, columns = split
    rows = len(columns[task.text[0]])
    if rows == 0:
        raise InputError(f"{where(0).split(': row')[0]}: no rows; a split needs at least one")
    for column in task.text:
        for row, text in enumerate(columns[column]):
            if not isinstance(text, str):
                raise InputError(f"{where(row)}: field {column}: no text; mend or remove the row")
    if name == "test" and "label" not in columns:
        labels: list[int] | list[float] = [UNLABELLED] * rows
    else:
        given = columns["label"]
        read: Callable[[Task, object, str, str], Any] = _score if task.regression else _label
        labels = [read(task, value, where(row), name) for row, value in enumerate(given)]
    texts = {column: columns[column] for column in task.text}
    return {**texts, "label": labels, "idx": list(range(rows))}


def number_of(value: object, at: str, remedy: str) -> float:
    """A finite number, given as such or in digits; InputError, with what to do, for another."""
    if value is None or value == "":
        raise InputError(f"{at}: missing; mend or remove the row")
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise InputError(f"{at}: {brief(value)} is no finite number; {remedy}")
    return number


def _score(task: Task, value: object, where: str, split: str) -> float:
    """The number of a regression; -1 in a test split marks that there is none."""
    number = number_of(value, f"{where}: field label", f"{task.name} has numbers; mend the row")
    if number == UNLABELLED and split != "test":
        raise InputError(
            f"{where}: field label: -1 marks GLUE's unlabelled test split, which can't be trained "
            f"on or scored; use the real {split} split"
        )
    return number


def _label(task: Task, value: object, where: str, split: str) -> int:
    """The number of a label that a source gives as number, digits or name."""
    if value in task.labels:
        return task.labels.index(str(value))
    if value is None or value == "":
        raise InputError(f"{where}: field label: missing; mend or remove the row")
    top = len(task.labels) - 1
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        number = None
    if number is None:
        names = ", ".join(task.labels)
        raise InputError(
            f"{where}: field label: {brief(value)} is neither a whole number from 0 to {top} nor "
            f"one of {names}; mend or remove the row"
        )
    if number == UNLABELLED:
        if split == "test":
            return UNLABELLED
        raise InputError(
            f"{where}: field label: -1 marks GLUE's unlabelled test split, which can't be trained "
            f"on or scored; use the real {split} split"
        )
    if not 0 <= number <= top:
        raise InputError(
            f"{where}: field label: {brief(number)} is out of range; {task.name} has 0 to {top}; "
            "mend or remove the row"
        )
    return number
