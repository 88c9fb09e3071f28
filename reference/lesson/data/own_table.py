"""A table of one's own: the recipe names its columns, and the labels are what stands in it.

    python -m reference data --data reviews.csv --text review --label stars

One file, a folder of files that are named after their splits, or a saved dataset. Where there is no
validation split, a tenth of the training rows is taken for it, by a rule that is said. A test split
isn't read: nothing is trained or scored on it.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.lesson.data.own_files import READERS, find_own
from reference.lesson.data.own_labels import (
    check_texts,
    class_numbers,
    class_words,
    in_order,
    numbers,
    parquet_names,
)
from reference.lesson.data.readers import Columns, Split
from reference.lesson.data.saved import read_saved_split
from reference.lesson.embedded.draw import Draw
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import Task, get_task
from reference.messages import brief

TAKEN = ("idx", "labels", "input_ids", "attention_mask", "token_type_ids")  # by the pipeline
SHARE = 10  # one row in so many is for validation, where there is no split for it
SPLIT_SEED = 42  # of that draw; not the recipe's, so that runs of other seeds have the same rows


@dataclass(frozen=True)
class OwnTable:
    """What was read of it.

    Attributes:
        task: with the table's columns, and its labels' names in the order of their numbers.
        splits: `train` and `validation`: texts, labels as numbers, and the rows' own.
        rule: how the validation split was made, in words; empty where it is a file of its own.
    """

    task: Task
    splits: dict[str, Columns]
    rule: str


def task_of(recipe: Recipe) -> Task:
    """The task of a recipe, with its labels: GLUE's own row, or what stands in the recipe's table.

    Raises:
        InputError: no such task; or the table is of no use.
    """
    task = columns_of(recipe)
    return read_own(task, recipe.data).task if task.own else task


def split_rule(recipe: Recipe) -> str:
    """How the validation split of a recipe's table was made; empty where it is a split's own."""
    task = columns_of(recipe)
    return read_own(task, recipe.data).rule if task.own else ""


def columns_of(recipe: Recipe) -> Task:
    """As `task_of`, without the labels of one's own table, of which nothing is read."""
    task = get_task(recipe.task)
    if not task.own:
        return task
    text = (recipe.text, *([recipe.text_pair] if recipe.text_pair else []))
    names = [*text, recipe.label]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"text, text_pair, label: {name!r} twice; give each its own column")
        if name in TAKEN or (name == "label" and name != recipe.label):
            raise InputError(f"column {name!r}: is a name of the pipeline's own; rename the column")
    return dataclasses.replace(task, text=text, label=recipe.label)


def read_own(task: Task, data: str) -> OwnTable:
    """A table, each row looked at; read once, and again when a file of it was touched.

    Args:
        task: as `columns_of` gives it.
        data: the recipe's: a file or a folder.

    Raises:
        InputError: names file, row and field of what is of no use.
    """
    files = find_own(data)
    paths = [path for split in files.values() for path in split]
    states = tuple((path, *_state(path)) for path in paths)
    return _read(dataclasses.replace(task, labels=()), data, states)


def _state(path: Path) -> tuple[int, ...]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    return tuple(n for s in stats for n in (s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns))


@functools.lru_cache(maxsize=2)  # `states` is there to be a part of the key
def _read(task: Task, data: str, states: tuple[object, ...]) -> OwnTable:
    raw: dict[str, Split] = {}
    named: dict[str, tuple[str, ...]] = {}
    for split, paths in find_own(data).items():
        if paths[0].is_dir():
            raw[split], named[split] = read_saved_split(paths[0], task, split)
        else:
            raw[split] = READERS[paths[0].suffix.lower()](paths, task, split)
            if paths[0].suffix.lower() == ".parquet":
                named[split] = parquet_names(paths[0], task)
        check_texts(task, raw[split])
    labels: dict[str, list[Any]]
    if task.regression:
        labels = {split: numbers(task, columns) for split, columns in raw.items()}
        task = dataclasses.replace(task, labels=get_task(task.name).labels)
    else:
        # The names of a ClassLabel's numbers, which one split may have and the other lack.
        names = next((named[split] for split in raw if named.get(split)), ())
        words = {
            split: class_words(task, columns, named.get(split) or names)
            for split, columns in raw.items()
        }
        task = dataclasses.replace(task, labels=names or in_order(words["train"]))
        labels = {split: class_numbers(task, raw[split], words[split]) for split in raw}
    columns = {split: _columns(task, raw[split][1], labels[split]) for split in raw}
    if "validation" in raw:
        table = OwnTable(task, columns, "")
    else:
        table = _with_validation(task, columns["train"], raw["train"][0])
    if not task.regression:
        _check_classes(
            table, {split: where(0).split(": row")[0] for split, (where, _) in raw.items()}
        )
    return table


def _columns(task: Task, columns: Columns, labels: list[Any]) -> Columns:
    texts = {name: list(columns[name]) for name in task.text}
    return {**texts, "label": list(labels), "idx": list(range(len(labels)))}


def _with_validation(task: Task, rows: Columns, where: Callable[[int], str]) -> OwnTable:
    """A tenth of each class for validation, at least a row; of a regression of all rows."""
    count = len(rows["label"])
    classes = [0] * count if task.regression else rows["label"]
    draw = Draw(SPLIT_SEED)
    chosen: set[int] = set()
    for number in range(max(classes) + 1):
        own = [row for row in range(count) if classes[row] == number]
        if len(own) == 1:
            what = "" if task.regression else f" of class {brief(task.labels[number])}"
            raise InputError(
                f"{where(own[0])}: the only row{what}, so it can't be trained on and "
                "scored; add rows, or give a validation split"
            )
        chosen |= set(draw.shuffled(own)[: max(1, round(len(own) / SHARE))])
    parts = {
        "train": [row for row in range(count) if row not in chosen],
        "validation": sorted(chosen),
    }
    splits = {
        split: {name: [values[row] for row in kept] for name, values in rows.items()}
        for split, kept in parts.items()
    }
    of_each = "" if task.regression else " of each class"
    rule = (
        f"no validation split: 1 row in {SHARE}{of_each} is taken for it ({len(chosen)} of "
        f"{count}), drawn with seed {SPLIT_SEED} whatever the run's"
    )
    return OwnTable(task, splits, rule)


def _check_classes(table: OwnTable, files: dict[str, str]) -> None:
    """Raise InputError unless there are two classes or more, each to be trained on and scored."""
    task = table.task
    if len(task.labels) < 2:
        raise InputError(
            f"{files['train']}: field {task.label}: {brief(task.labels[0])} in every row; a "
            "classification needs two classes"
        )
    for split, columns in table.splits.items():
        for number in sorted({*range(len(task.labels))} - {*columns["label"]}):
            raise InputError(
                f"{files.get(split, files['train'])}: field {task.label}: no row of class "
                f"{brief(task.labels[number])} in the {split} split; move some rows there"
            )
