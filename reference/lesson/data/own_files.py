"""Which files of one's own are a table's splits: by their names, or the only one that is there.

    python -m reference data --data FOLDER --text COLUMN --label COLUMN

Nothing is read of them.
"""

import re
from collections.abc import Callable
from pathlib import Path

from reference.errors import InputError
from reference.lesson.data.folder import all_parts
from reference.lesson.data.readers import (
    Split,
    read_csv,
    read_jsonl,
    read_own_tsv,
    read_parquet,
)
from reference.lesson.data.saved import is_saved, saved_splits
from reference.lesson.tasks import Task
from reference.process.bounded_files import check_name

READERS: dict[str, Callable[[list[Path], Task, str], Split]] = {
    ".csv": read_csv,
    ".tsv": read_own_tsv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}
PART = re.compile(r"-\d+-of-\d+$")  # of the hub's parquet


def find_own(data: str) -> dict[str, list[Path]]:
    """The files of each split, of one kind; of a saved dataset the folder of each.

    Raises:
        InputError: what is missing, or there twice, and where.
    """
    check_name(data)
    path = Path(data)
    kinds = ", ".join(READERS)
    if data in ("embedded", "hub") and not path.exists():
        raise InputError(
            f"data: {data} has GLUE's tasks; give the file or folder of your own table"
        )
    if path.is_file():
        if path.suffix.lower() not in READERS:
            raise InputError(f"{path}: of no kind that is read here ({kinds}); save it as one")
        return {"train": [path]}
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; give the one of your own table")
    if is_saved(path):
        found = {name: [folder] for name, folder in saved_splits(path).items()}
    else:
        found = {}
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in READERS and file.is_file():
                found.setdefault(PART.sub("", file.stem), []).append(file)
    if len(found) == 1 and not any(name.lower() in NAMES["test"] for name in found):
        return {"train": _whole(next(iter(found.values())))}
    return _named(path, found, kinds)


def _named(place: Path, found: dict[str, list[Path]], kinds: str) -> dict[str, list[Path]]:
    """The files of each split by their names; others are left alone."""
    splits: dict[str, list[Path]] = {}
    for split, names in NAMES.items():
        files = {name: paths for name, paths in found.items() if name.lower() in names}
        if len(files) > 1:
            raise InputError(
                f"{place}: {' and '.join(files)} for one {split} split; keep the one that is meant"
            )
        if files and split != "test":
            splits[split] = _whole(next(iter(files.values())))
    if "train" not in splits:
        have = ", ".join(found) or "nothing"
        raise InputError(
            f"{place}: no training split; of {kinds} and saved datasets there is {have}; name one "
            "train, or give a single file"
        )
    return splits


def _whole(paths: list[Path]) -> list[Path]:
    """The file of a split, or the parts of it, all of them."""
    parts = [path for path in paths if path.suffix == ".parquet" and PART.search(path.stem)]
    if len(paths) > 1 and parts != paths:
        names = " and ".join(path.name for path in paths)
        raise InputError(f"{paths[0].parent}: {names} for one split; keep the one that is meant")
    return all_parts(parts) if parts else paths
