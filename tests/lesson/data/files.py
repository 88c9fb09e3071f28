"""The same few rows in each format that a data folder may have."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from reference.lesson.data.sources import load_raw
from reference.lesson.tasks import Task, get_task
from tests.helpers.refusal import refusal

Rows = dict[str, list[Any]]

# What a reader may stumble over: stray quotes, commas, tabs' neighbours, every Unicode line end,
# spaces at both ends, a mark in the middle, no text at all.
TRICKY = (
    '" He said , " it \'s done .',
    'a 7.5" disk, and "',
    "one\u2028two\u2029three",
    "next\x85line\x0bvertical\x0cform\x1cfile",
    " spaces  kept ",
    "naïve Ø 漢字 \ufeff mark",
    "",
    "'single' \"double\"",
)
# Columns of GLUE's own files besides the task's texts and label, which come last here.
EXTRA = {
    "mrpc": ("#1 ID", "#2 ID"),
    "sst2": (),
    "cola": (),
    "mnli": ("index", "genre"),
    "qqp": ("id", "qid1", "qid2"),
}


def rows(task: Task, count: int, start: int = 0) -> Rows:
    """So many rows under the hub's names, each text and label unlike its neighbours'."""
    numbers = range(start, start + count)
    texts = {
        name: [
            f"{TRICKY[(i + j) % len(TRICKY)]}{i if TRICKY[(i + j) % 8] else ''}" for i in numbers
        ]
        for j, name in enumerate(task.text)
    }
    labels = [i / 4 if task.regression else i % len(task.labels) for i in numbers]
    return {**texts, "label": labels}


def splits(name: str) -> dict[str, Rows]:
    """Train, validation, and a test split without labels, as GLUE's are."""
    task = get_task(name)
    test = rows(task, 3, 20)
    return {
        "train": rows(task, 9),
        "validation": rows(task, 5, 10),
        "test": {**test, "label": [-1] * 3},
    }


def write_tsv(
    place: Path, name: str, data: dict[str, Rows], end: str = "\n", encoding: str = "utf-8"
) -> None:
    """GLUE's own layout: its headers, its label words, no labels in the test split."""
    task = get_task(name)
    place.mkdir(parents=True, exist_ok=True)
    stems = {"train": "train", "validation": task.dev, "test": task.dev.replace("dev", "test")}
    for split, columns in data.items():
        header = list(task.headless or (*EXTRA.get(name, ("index",)), *task.tsv))
        if split == "test":
            header = ["index", *task.tsv[:-1]]
        lines = [] if task.headless and split != "test" else ["\t".join(header)]
        for i in range(len(columns["label"])):
            cells = dict.fromkeys(header, "0")
            cells |= {task.tsv[j]: columns[text][i] for j, text in enumerate(task.text)}
            label = columns["label"][i]
            cells[task.tsv[-1]] = task.labels[label] if task.label_words else str(label)
            lines.append("\t".join(cells[column] for column in header))
        text = "".join(line + end for line in lines)
        (place / f"{stems[split]}.tsv").write_bytes(text.encode(encoding))


def write_csv(place: Path, name: str, data: dict[str, Rows]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for split, columns in data.items():
        with open(place / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))


def write_parquet(place: Path, name: str, data: dict[str, Rows]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for split, columns in data.items():
        dataset(name, columns).to_parquet(str(place / f"{split}.parquet"))


def write_hub_parquet(place: Path, name: str, data: dict[str, Rows]) -> None:
    """The hub's names, and a training split in two parts."""
    place.mkdir(parents=True, exist_ok=True)
    task = get_task(name)
    stems = {"train": "train", "validation": task.validation}
    stems["test"] = task.validation.replace("validation", "test")
    for split, columns in data.items():
        whole = dataset(name, columns)
        count = 2 if split == "train" else 1
        for i in range(count):
            path = place / f"{stems[split]}-{i:05d}-of-{count:05d}.parquet"
            whole.shard(count, i, contiguous=True).to_parquet(str(path))


def write_saved(place: Path, name: str, data: dict[str, Rows]) -> None:
    saved = {split: dataset(name, columns) for split, columns in data.items()}
    DatasetDict(saved).save_to_disk(str(place))


def dataset(name: str, columns: Rows) -> Dataset:
    """As the hub's own: `label` a ClassLabel, and a column `idx`."""
    task = get_task(name)
    features: dict[str, Any] = {text: Value("string") for text in task.text}
    label = Value("float32") if task.regression else ClassLabel(names=list(task.labels))
    features |= {"label": label, "idx": Value("int32")}
    return Dataset.from_dict(
        {**columns, "idx": list(range(len(columns["label"])))}, Features(features)
    )


WRITERS: dict[str, Callable[[Path, str, dict[str, Rows]], None]] = {
    "tsv": write_tsv,
    "csv": write_csv,
    "parquet": write_parquet,
    "hub-parquet": write_hub_parquet,
    "saved": write_saved,
}


def refused(folder: Path, name: str = "sst2") -> str:
    """The line with which a folder is refused."""
    return refusal(lambda: load_raw(get_task(name), str(folder)))
