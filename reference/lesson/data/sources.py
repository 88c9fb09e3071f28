"""Raw splits out of one source, named and never guessed: embedded, a folder, or the hub.

    python -m reference data --data FOLDER

Every source gives the same thing: the hub's columns (texts, `label`, `idx`), checked row by row in
`rows.py`. `datasets` is imported when a source is loaded, and not with this module.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.data.folder import SPLITS, find_files, read_folder
from reference.lesson.data.hub import check_hub, unreachable
from reference.lesson.data.own_files import find_own
from reference.lesson.data.own_table import read_own
from reference.lesson.data.readers import Columns, Split
from reference.lesson.data.rows import checked_rows
from reference.lesson.data.saved import check_saved, check_saved_columns, is_saved
from reference.lesson.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

HUB_DATASET = "nyu-mll/glue"  # `datasets` 5 knows no alias `glue`


def check_source(task: Task, data: str) -> None:
    """Check what can be checked of a source without torch, `datasets`, pyarrow and the hub.

    Of TSV and CSV files that is every row; of parquet and of a saved dataset which files there are.

    Raises:
        InputError: names file, row and field of what is of no use.
    """
    if task.own:
        saved = Path(data).is_dir() and is_saved(Path(data))
        if saved:  # its rows come with `datasets`; what it says of its columns doesn't
            for part, (folder,) in find_own(data).items():
                check_saved_columns(folder, task, part)
        else:
            read_own(task, data)
    elif data == "embedded":
        _check_embedded(task)
    elif data == "hub":
        check_no_namesake()
    else:
        files = find_files(Path(data), task)
        if files.kind == "saved":
            check_saved(files.folder)
        elif files.kind in ("tsv", "csv"):
            for name, split in read_folder(Path(data), task).items():
                checked_rows(task, name, split)


def check_no_namesake() -> None:
    """Raise InputError where `datasets` would read a folder of ours, and call it the hub's."""
    if Path(HUB_DATASET).exists():
        raise InputError(
            f"{HUB_DATASET}: a folder of the hub's name for GLUE lies in the working directory, "
            "and would be read in its place; rename it, or give it with --data"
        )


def load_raw(task: Task, data: str) -> "DatasetDict":
    """The raw splits of a task: train, validation, and test where the source has one.

    Args:
        task: whose splits they are.
        data: `embedded`, `hub`, or the path of a folder; of one's own table also of a file.

    Returns:
        Splits with the columns of the hub's `nyu-mll/glue`: the task's texts (string), `label`
        (ClassLabel, or float32 of a regression; -1 in a test split without labels) and `idx`.

    Raises:
        InputError: names file, row and field of what is of no use.
    """
    from datasets import DatasetDict

    if task.own:
        own = read_own(task, data)
        return DatasetDict({name: _dataset(own.task, rows) for name, rows in own.splits.items()})
    if data == "embedded":
        splits = _read_embedded(task)
    elif data == "hub":
        splits = _read_hub(task)
    else:
        splits = read_folder(Path(data), task)
    return DatasetDict(
        {name: _dataset(task, checked_rows(task, name, split)) for name, split in splits.items()}
    )


def _dataset(task: Task, columns: Columns) -> "Dataset":
    from datasets import ClassLabel, Dataset, Features, Value

    label = Value("float32") if task.regression else ClassLabel(names=list(task.labels))
    features = Features(
        {name: Value("string") for name in task.text} | {"label": label, "idx": Value("int32")}
    )
    return Dataset.from_dict(columns, features)


def _check_embedded(task: Task) -> None:
    if task.name not in embedded.EMBEDDED_TASKS:
        known = ", ".join(embedded.EMBEDDED_TASKS)
        raise InputError(
            f"task {task.name!r} has no embedded corpus (only {known}); give --data FOLDER or hub"
        )


def _read_embedded(task: Task) -> dict[str, Split]:
    _check_embedded(task)
    splits: dict[str, Split] = {}
    for name in SPLITS:
        columns = embedded.make_split(task.name, name)
        splits[name] = (_in_order(f"embedded corpus, {name}"), dict(columns))
    return splits


def _read_hub(task: Task) -> dict[str, Split]:
    import datasets

    check_no_namesake()
    check_hub()
    try:
        raw = datasets.load_dataset(HUB_DATASET, task.name)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(unreachable(reason)) from None
    test = task.validation.replace("validation", "test")
    names = {"train": "train", "validation": task.validation, "test": test}
    return {
        split: (_in_order(f"{HUB_DATASET}, {task.name}, {split}"), raw[name][:])
        for split, name in names.items()
    }


def digest(raw_datasets: "DatasetDict") -> str:
    """SHA-256, in hex, of all texts and labels, split by split: which data a run was on."""
    total = hashlib.sha256()
    for split, dataset in raw_datasets.items():
        for name in dataset.column_names:
            total.update(f"{split} {name} {len(dataset)}\n".encode())
            total.update("\n".join(map(repr, dataset[name])).encode())
    return total.hexdigest()


def _in_order(what: str) -> Callable[[int], str]:
    return lambda row: f"{what}: row {row + 1}"
