"""Raw splits out of one source, named and never guessed: embedded, a folder, or the hub.

Look at one: `python -m reference data --data FOLDER`

Every source gives the same thing: the hub's columns (texts, `label`, `idx`), checked row by row.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.data.folder import SPLITS, read_folder
from reference.lesson.data.hub import check_hub, unreachable
from reference.lesson.tasks import Task

HUB_DATASET = "nyu-mll/glue"  # `datasets` 5 knows no alias `glue`
UNLABELLED = -1  # as in GLUE's test splits


def load_raw(task: Task, data: str) -> DatasetDict:
    """The raw splits of a task: train, validation, and test where the source has one.

    Columns: the task's texts (string), `label` (ClassLabel; -1 in a test split without labels)
    and `idx`. Raises InputError naming file, row and field for anything unusable in them.
    """
    if data == "embedded":
        splits = _read_embedded(task)
    elif data == "hub":
        splits = _read_hub(task)
    else:
        splits = read_folder(Path(data), task)
    return DatasetDict({name: _checked(task, name, *split) for name, split in splits.items()})


def _read_embedded(task: Task) -> dict[str, tuple[Callable[[int], str], dict[str, list[Any]]]]:
    if task.name not in embedded.EMBEDDED_TASKS:
        known = ", ".join(embedded.EMBEDDED_TASKS)
        raise InputError(
            f"task {task.name!r} has no embedded corpus (only {known}); give --data FOLDER or hub"
        )
    splits = {}
    for name in SPLITS:
        columns = embedded.make_split(task.name, name)
        splits[name] = (_counted(f"embedded corpus, {name}"), dict(columns))
    return splits


def _read_hub(task: Task) -> dict[str, tuple[Callable[[int], str], dict[str, list[Any]]]]:
    import datasets

    check_hub()
    try:
        raw = datasets.load_dataset(HUB_DATASET, task.name)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(unreachable(reason)) from None
    test = task.validation.replace("validation", "test")
    names = {"train": "train", "validation": task.validation, "test": test}
    return {
        split: (_counted(f"{HUB_DATASET}, {task.name}, {split}"), raw[name][:])
        for split, name in names.items()
    }


def digest(raw_datasets: DatasetDict) -> str:
    """SHA-256, in hex, of all texts and labels, split by split: which data a run was on."""
    total = hashlib.sha256()
    for split, dataset in raw_datasets.items():
        for name in dataset.column_names:
            total.update(f"{split} {name} {len(dataset)}\n".encode())
            total.update("\n".join(map(repr, dataset[name])).encode())
    return total.hexdigest()


def _counted(what: str) -> Callable[[int], str]:
    return lambda row: f"{what}: row {row + 1}"


def _checked(
    task: Task, split: str, where: Callable[[int], str], columns: dict[str, list[Any]]
) -> Dataset:
    """One split as a Dataset, each row looked at; `where(row)` says where a row stands."""
    rows = len(columns[task.text[0]])
    if rows == 0:
        raise InputError(f"{where(0).split(': row')[0]}: no rows; a split needs at least one")
    for name in task.text:
        for row, text in enumerate(columns[name]):
            if not isinstance(text, str):
                raise InputError(f"{where(row)}: field {name}: no text; mend or remove the row")
    if split == "test" and "label" not in columns:
        labels = [UNLABELLED] * rows
    else:
        given = columns["label"]
        labels = [_label(task, value, where(row), split) for row, value in enumerate(given)]
    features = Features(
        {name: Value("string") for name in task.text}
        | {"label": ClassLabel(names=list(task.labels)), "idx": Value("int32")}
    )
    texts = {name: columns[name] for name in task.text}
    return Dataset.from_dict({**texts, "label": labels, "idx": list(range(rows))}, features)


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
            f"{where}: field label: {value!r} is neither a whole number from 0 to {top} nor one of "
            f"{names}; mend or remove the row"
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
            f"{where}: field label: {number} is out of range; {task.name} has 0 to {top}; mend or "
            "remove the row"
        )
    return number
