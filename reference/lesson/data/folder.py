"""A task's splits out of a folder: GLUE's TSV files, CSV, parquet, or a saved dataset.

    python -m reference data --data FOLDER

The folder holds the task's own folder (`MRPC` or `mrpc`), or is it. A test split is optional:
nothing is trained or scored on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reference.errors import InputError
from reference.lesson.data.readers import Split, read_csv, read_parquet, read_tsv
from reference.lesson.data.saved import load_saved, read_columns
from reference.lesson.tasks import Task
from reference.process.bounded_files import check_name

SPLITS = ("train", "validation", "test")
FORMATS = {"tsv": "GLUE's TSV", "csv": "CSV", "parquet": "parquet", "saved": "saved dataset"}


@dataclass(frozen=True)
class TaskFiles:
    """Where a task's files are, and of which kind.

    Attributes:
        folder: holds them.
        kind: a key of `FORMATS`.
        splits: the files of each split; empty of a saved dataset, which isn't looked into.
    """

    folder: Path
    kind: str
    splits: dict[str, list[Path]]


def find_files(folder: Path, task: Task) -> TaskFiles:
    """The files of a task in a folder; nothing is read.

    Raises:
        InputError: what is missing, or there twice, and where.
    """
    check_name(folder)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; --data takes embedded, hub, or a folder with GLUE's files"
        )
    candidates = [folder / task.folder, folder / task.name, folder]
    own = [place for place in candidates[:2] if _formats(place, task)]
    if len(own) > 1 and not own[0].samefile(own[1]):  # as they are where case doesn't count
        raise InputError(f"{own[0]} and {own[1]}: both hold {task.name}; name one with --data")
    for place in candidates:
        formats = _formats(place, task)
        if len(formats) > 1:
            names = " and ".join(FORMATS[f] for f in formats)
            raise InputError(f"{place}: holds both {names}; keep the one that is meant")
        if formats:
            return TaskFiles(place, formats[0], _splits(place, formats[0], task))
    looked = ", ".join(f"{p.name}/" for p in candidates)
    raise InputError(
        f"{folder}: no {task.name} in it: neither {looked} holds any of its splits as .tsv, .csv, "
        ".parquet, or a saved dataset"
    )


def read_folder(folder: Path, task: Task) -> dict[str, Split]:
    """The splits of a task in a folder, as they stand in its files.

    Raises:
        InputError: what is missing, or can't be read, and where.
    """
    files = find_files(folder, task)
    if files.kind == "saved":
        return _read_saved(files.folder, task)
    reader = {"tsv": read_tsv, "csv": read_csv, "parquet": read_parquet}[files.kind]
    return {split: reader(paths, task, split) for split, paths in files.splits.items()}


def _stems(task: Task, split: str) -> tuple[str, ...]:
    """The names that a split's file may have, GLUE's own first."""
    if split == "train":
        return ("train",)
    if split == "validation":
        return tuple(dict.fromkeys((task.dev, "dev", task.validation, "validation")))
    return tuple(dict.fromkeys((task.dev.replace("dev", "test"), "test", "test_matched")))


def _file(place: Path, suffix: str, task: Task, split: str) -> list[Path]:
    """The file of a split, or its parts; none if there is none. InputError where there are two."""
    candidates = []
    for stem in _stems(task, split):
        whole = place / f"{stem}.{suffix}"
        if whole.is_file():
            candidates.append([whole])
        if suffix == "parquet":  # the hub's own naming: train-00000-of-00001.parquet
            found = place.glob(f"{stem}-*-of-*.parquet")
            parts = sorted(path for path in found if path.is_file())  # no pipe and no device
            if parts:
                candidates.append(all_parts(parts))
    _only_one(place, split, [files[0].name for files in candidates])
    return candidates[0] if candidates else []


def _only_one(place: Path, split: str, names: list[str]) -> None:
    if len(names) > 1 and split != "test":  # which isn't used
        both = " and ".join(names)
        raise InputError(f"{place}: {both} for one {split} split; keep the one that is meant")


def all_parts(parts: list[Path]) -> list[Path]:
    """The parts of a split; InputError if one of them is missing, or one too many is there."""
    stem, count = parts[0].stem.split("-")[0], parts[0].stem.rsplit("-", 1)[1]
    named = [
        f"{stem}-{i:05d}-of-{count}.parquet" for i in range(int(count) if count.isdigit() else 0)
    ]
    for name in sorted({*named} ^ {path.name for path in parts}):
        what = "is missing" if name in named else "is not one of them"
        raise InputError(
            f"{parts[0]}: part of {count}, and {name} {what}; keep one download's parts, and all"
        )
    return parts


def _formats(place: Path, task: Task) -> list[str]:
    if not place.is_dir():
        return []
    formats = ["saved"] if (place / "dataset_dict.json").is_file() else []
    for suffix in ("tsv", "csv", "parquet"):
        if any(_file(place, suffix, task, split) for split in SPLITS):
            formats.append(suffix)
    return formats


def _splits(place: Path, kind: str, task: Task) -> dict[str, list[Path]]:
    """The files of each split that is there; InputError where one is missing that is needed."""
    if kind == "saved":
        return {}
    files = {split: _file(place, kind, task, split) for split in SPLITS}
    for split in ("train", "validation"):
        if not files[split]:
            names = " or ".join(f"{stem}.{kind}" for stem in _stems(task, split))
            raise InputError(f"{place}: the {split} split is missing; put {names} there")
    return {split: paths for split, paths in files.items() if paths}


def _read_saved(place: Path, task: Task) -> dict[str, Split]:
    saved = load_saved(place)
    splits: dict[str, Split] = {}
    for split in SPLITS:
        names = [stem for stem in _stems(task, split) if stem in saved]
        _only_one(place, split, names)
        if not names:
            if split != "test":
                raise InputError(
                    f"{place}: the {split} split is missing; there is {', '.join(saved)}"
                )
            continue
        name = names[0]
        columns = read_columns(place, saved, name, task, split)
        splits[split] = _in_order(f"{place}, {name}"), columns
    return splits


def _in_order(where: str) -> Callable[[int], str]:
    return lambda row: f"{where}: row {row + 1}"
