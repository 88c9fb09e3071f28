"""The splits of a saved dataset, as `DatasetDict.save_to_disk` leaves them.

    python -m reference data --data FOLDER

Its JSON files name folders and files, which `datasets` would open wherever they lie: only names
within the dataset's own folder are taken.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.errors import InputError
from reference.lesson.data.readers import Columns, Split, need_columns, reason
from reference.lesson.tasks import Task
from reference.messages import brief
from reference.process.bounded_files import need_file, read_bounded

if TYPE_CHECKING:
    from datasets import DatasetDict

SPLITS_FILE = "dataset_dict.json"
STATE_FILE = "state.json"
INFO_FILE = "dataset_info.json"
LARGEST = 1 << 24  # bytes of such a file
LARGEST_ROWS = 1 << 30  # bytes of a file of rows, of whatever columns


def check_saved(place: Path) -> None:
    """Check which files a saved dataset names; no row is read, and `datasets` isn't imported.

    Raises:
        InputError: it isn't one, or names files elsewhere; says in which of its own.
    """
    for split in _names(place, place / SPLITS_FILE, "splits", lambda entry: entry):
        _check_split(place, place / split)


def _check_split(place: Path, folder: Path) -> None:
    files = _names(place, folder / STATE_FILE, "_data_files", lambda entry: entry["filename"])
    for name in (INFO_FILE, *files):
        try:
            need_file(folder / name, LARGEST if name == INFO_FILE else LARGEST_ROWS)
        except OSError as error:
            raise _no_dataset(place, error) from None


def is_saved(place: Path) -> bool:
    """Whether a folder is a saved dataset, of several splits or a single one."""
    return (place / SPLITS_FILE).is_file() or (place / STATE_FILE).is_file()


def saved_splits(place: Path) -> dict[str, Path]:
    """The folder of each split of a saved dataset; a single one is called train.

    Raises:
        InputError: it isn't one, or names files elsewhere; says in which of its own.
    """
    if (place / SPLITS_FILE).is_file():
        check_saved(place)
        names = _names(place, place / SPLITS_FILE, "splits", lambda entry: entry)
        return {name: place / name for name in names}
    _check_split(place, place)
    return {"train": place}


def check_saved_columns(folder: Path, task: Task, split: str) -> Any:
    """What a saved split says of its columns, of which nothing is loaded.

    Raises:
        InputError: one that the task needs isn't there, or the file of it is damaged.
    """
    try:
        info = json.loads(read_bounded(folder / INFO_FILE, LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_dataset(folder, error) from None
    features = info.get("features") if isinstance(info, dict) else None
    if isinstance(features, dict):
        need_columns(str(folder), {name: [] for name in features}, task, split)
    return info


def class_names(info: Any, column: str) -> tuple[str, ...]:
    """The names of a column's classes, by what `datasets` says of it; empty where it has none."""
    features = info.get("features") if isinstance(info, dict) else None
    feature = features.get(column) if isinstance(features, dict) else None
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return ()
    names = feature.get("names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def read_saved_split(folder: Path, task: Task, split: str) -> tuple[Split, tuple[str, ...]]:
    """A saved split: its columns, and the names of its classes where it has some.

    Raises:
        InputError: it is damaged, or lacks a column.
    """
    info = check_saved_columns(folder, task, split)
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
        saved.data.validate(full=True)
    except Exception as error:  # damage comes out of `datasets` and Arrow as a dozen kinds
        raise _no_dataset(folder, error) from error
    columns = read_columns(folder, datasets.DatasetDict({split: saved}), split, task, split)
    return (lambda row: f"{folder}: row {row + 1}", columns), class_names(info, task.label)


def load_saved(place: Path) -> "DatasetDict":
    """The saved dataset, whole: damage is found here, and not when its rows are read.

    Raises:
        InputError: it isn't a saved dataset, or a damaged one.
    """
    import datasets

    check_saved(place)
    try:
        saved: DatasetDict = datasets.load_from_disk(str(place))
        for dataset in saved.values():
            dataset.data.validate(full=True)  # reading a damaged one may kill the process
    except Exception as error:  # damage comes out of `datasets` and Arrow as a dozen kinds
        raise _no_dataset(place, error) from error
    return saved


def read_columns(place: Path, saved: "DatasetDict", name: str, task: Task, split: str) -> Columns:
    """The columns of one split that the task needs.

    Args:
        place: the dataset's folder.
        saved: the dataset.
        name: the split's name in it.
        task: whose columns they are.
        split: the split's own name: a test split needs no label.
    """
    have = saved[name].column_names
    need_columns(f"{place}, {name}", {column: [] for column in have}, task, split)
    wanted = [column for column in (*task.text, task.label) if column in have]
    try:
        # In no format: a saved one may make tensors of the rows.
        columns: Columns = saved[name].with_format(None).select_columns(wanted)[:]
    except Exception as error:  # a feature that needs a library, such as an image
        raise _no_dataset(place, error) from error
    return columns


def _names(place: Path, path: Path, field: str, name_of: Callable[[Any], Any]) -> list[str]:
    """The names that a JSON file lists, each of a file or folder right beside it."""
    try:
        names = [name_of(entry) for entry in json.loads(read_bounded(path, LARGEST))[field]]
    except InputError:
        raise
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise _no_dataset(place, error) from None
    for name in names:
        if (
            not isinstance(name, str)
            or name in ("", ".", "..")
            or any(mark in name for mark in "/\\\0")
        ):
            raise InputError(
                f"{path}: field {field}: {brief(name)} is no file or folder beside it; save the "
                "dataset anew"
            )
    return names


def _no_dataset(place: Path, error: Exception) -> InputError:
    return InputError(
        f"{place}: not a saved dataset, or one with a split of no rows ({reason(error)}); save it "
        "anew"
    )
