"""What a row may hold, the same for every source: texts, and a label that the task knows.

    python -m reference data --data FOLDER

Plain Python, so that a bad row is refused before torch and `datasets` are imported.
"""

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
        The task's texts (str), `label` (the number of the label; -1 in a test split without labels)
        and `idx` (the row's number, from 0), each a list with one entry a row.

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
        labels = [UNLABELLED] * rows
    else:
        given = columns["label"]
        labels = [_label(task, value, where(row), name) for row, value in enumerate(given)]
    texts = {column: columns[column] for column in task.text}
    return {**texts, "label": labels, "idx": list(range(rows))}


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
