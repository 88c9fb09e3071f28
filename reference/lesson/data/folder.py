"""A task's splits out of a folder: GLUE's TSV files, CSV, parquet, or a saved dataset.

Look at one: `python -m reference data --data FOLDER`

The folder holds the task's own folder (`MRPC` or `mrpc`), or is it. A test split is optional:
nothing is trained or scored on it.
"""

from collections.abc import Callable
from pathlib import Path

from reference.errors import InputError
from reference.lesson.data.readers import (
    Split,
    need_columns,
    read_csv,
    read_parquet,
    read_tsv,
    reason,
)
from reference.lesson.tasks import Task

SPLITS = ("train", "validation", "test")
FORMATS = {"tsv": "GLUE's TSV", "csv": "CSV", "parquet": "parquet", "saved": "saved dataset"}


def read_folder(folder: Path, task: Task) -> dict[str, Split]:
    """The splits of a task in a folder; InputError says what is missing and where."""
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
            found = " and ".join(FORMATS[f] for f in formats)
            raise InputError(f"{place}: holds both {found}; keep the one that is meant")
        if formats:
            return _read(place, formats[0], task)
    looked = ", ".join(f"{p.name}/" for p in candidates)
    raise InputError(
        f"{folder}: no {task.name} in it: neither {looked} holds any of its splits as .tsv, .csv, "
        ".parquet, or a saved dataset"
    )


def _stems(task: Task, split: str) -> tuple[str, ...]:
    """The names that a split's file may have, GLUE's own first."""
    if split == "train":
        return ("train",)
    if split == "validation":
        return tuple(dict.fromkeys((task.dev, "dev", task.validation, "validation")))
    return tuple(dict.fromkeys((task.dev.replace("dev", "test"), "test", "test_matched")))


def _file(place: Path, suffix: str, task: Task, split: str) -> list[Path]:
    """The file of a split, or its parts; none if there is none. InputError where there are two."""
    found = []
    for stem in _stems(task, split):
        whole = place / f"{stem}.{suffix}"
        if whole.is_file():
            found.append([whole])
        if suffix == "parquet":  # the hub's own naming: train-00000-of-00001.parquet
            parts = sorted(place.glob(f"{stem}-*-of-*.parquet"))
            if parts:
                found.append(_all_parts(parts))
    _only_one(place, split, [files[0].name for files in found])
    return found[0] if found else []


def _only_one(place: Path, split: str, found: list[str]) -> None:
    if len(found) > 1 and split != "test":  # which isn't used
        names = " and ".join(found)
        raise InputError(f"{place}: {names} for one {split} split; keep the one that is meant")


def _all_parts(parts: list[Path]) -> list[Path]:
    """The parts of a split; InputError if one of them is missing, or one too many is there."""
    stem, count = parts[0].stem.split("-")[0], parts[0].stem.rsplit("-", 1)[1]
    named = [
        f"{stem}-{i:05d}-of-{count}.parquet" for i in range(int(count) if count.isdigit() else 0)
    ]
    found = [path.name for path in parts]
    for name in sorted({*named} ^ {*found}):
        what = "is missing" if name in named else "is not one of them"
        raise InputError(
            f"{parts[0]}: part of {count}, and {name} {what}; keep one download's parts, and all"
        )
    return parts


def _formats(place: Path, task: Task) -> list[str]:
    if not place.is_dir():
        return []
    found = ["saved"] if (place / "dataset_dict.json").is_file() else []
    for suffix in ("tsv", "csv", "parquet"):
        if any(_file(place, suffix, task, split) for split in SPLITS):
            found.append(suffix)
    return found


def _read(place: Path, kind: str, task: Task) -> dict[str, Split]:
    if kind == "saved":
        return _read_saved(place, task)
    reader = {"tsv": read_tsv, "csv": read_csv, "parquet": read_parquet}[kind]
    files = {split: _file(place, kind, task, split) for split in SPLITS}  # all, before any is read
    for split in ("train", "validation"):
        if not files[split]:
            names = " or ".join(f"{stem}.{kind}" for stem in _stems(task, split))
            raise InputError(f"{place}: the {split} split is missing; put {names} there")
    return {split: reader(found, task, split) for split, found in files.items() if found}


def _read_saved(place: Path, task: Task) -> dict[str, Split]:
    import datasets

    try:
        saved = datasets.load_from_disk(str(place))
        for dataset in saved.values():
            dataset.data.validate(full=True)  # reading a damaged one may kill the process
    except Exception as error:  # damage comes out of `datasets` and Arrow as a dozen kinds
        raise InputError(
            f"{place}: not a saved dataset, or one with a split of no rows ({reason(error)}); "
            "save it anew"
        ) from error
    splits: dict[str, Split] = {}
    for split in SPLITS:
        found = [stem for stem in _stems(task, split) if stem in saved]
        _only_one(place, split, found)
        if not found:
            if split != "test":
                raise InputError(
                    f"{place}: the {split} split is missing; there is {', '.join(saved)}"
                )
            continue
        name = found[0]
        columns = saved[name][:]
        need_columns(f"{place}, {name}", columns, task, split)
        splits[split] = _in_order(f"{place}, {name}"), columns
    return splits


def _in_order(where: str) -> Callable[[int], str]:
    return lambda row: f"{where}: row {row + 1}"
