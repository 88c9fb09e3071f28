"""A synthetic corpus in the shape of GLUE's MRPC and SST-2, made from code, with no network.

    python -m reference data

It stands in for the real one where that can't be reached: a run on it shows whether two loops are
the same run, and says nothing about English. It is called synthetic wherever its numbers appear.
The same bytes on every machine, Python from 3.11 on, and hash seed.
"""

import hashlib
import json
from functools import cache

from reference.errors import InputError
from reference.lesson.embedded.draw import Draw
from reference.lesson.embedded.pairs import make_pair
from reference.lesson.embedded.reviews import make_review

EMBEDDED_TASKS = ("mrpc", "sst2")
SPLITS = ("train", "validation", "test")

# Raise it with every change that moves a byte of the corpus; caches and records are named by it.
CORPUS_VERSION = 1

# (rows, rows with label 1). MRPC: GLUE's own, 1,147 of the 1,725 test pairs being those of the
# corpus as published (Dolan and Brockett, 2005). SST-2: a tenth of GLUE's rows, and the share of
# positive ones of its train split, 37,569 of 67,349.
SIZES = {
    "mrpc": {"train": (3668, 2474), "validation": (408, 279), "test": (1725, 1147)},
    "sst2": {"train": (6735, 3757), "validation": (87, 49), "test": (182, 102)},
}


def make_split(task: str, split: str) -> dict[str, list[str] | list[int]]:
    """The columns of one split, under the hub's names, each a list with one entry a row.

    MRPC: `sentence1`, `sentence2`, `label`, `idx`; SST-2: `sentence`, `label`, `idx`. Test splits
    carry their true labels, unlike GLUE's. The lists are the caller's own.

    Raises InputError for a task or split that isn't embedded.
    """
    if task not in SIZES:
        raise InputError(f"no embedded task {task!r}: choose one of {', '.join(EMBEDDED_TASKS)}")
    if split not in SPLITS:
        raise InputError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
    texts, labels = _rows(task, split)
    columns: dict[str, list[str] | list[int]] = {
        name: list(column) for name, column in texts.items()
    }
    return columns | {"label": list(labels), "idx": list(range(len(labels)))}


def corpus_digest(task: str) -> str:
    """SHA-256, in hex, of all splits of `task`: of their columns as sorted ASCII JSON."""
    columns = {split: make_split(task, split) for split in SPLITS}
    return hashlib.sha256(json.dumps(columns, sort_keys=True).encode("ascii")).hexdigest()


@cache
def _rows(task: str, split: str) -> tuple[dict[str, tuple[str, ...]], tuple[int, ...]]:
    # One stream for each split: changing the size of one leaves the others as they are.
    draw = Draw(1000 * EMBEDDED_TASKS.index(task) + SPLITS.index(split))
    rows, positive = SIZES[task][split]
    labels = tuple(draw.shuffled([1] * positive + [0] * (rows - positive)))
    if task == "sst2":
        return {"sentence": tuple(make_review(draw, label) for label in labels)}, labels
    pairs = [make_pair(draw, label) for label in labels]
    first, second = zip(*pairs, strict=True)
    return {"sentence1": first, "sentence2": second}, labels
