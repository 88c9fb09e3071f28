"""The scores of many seeds that come with this package: which of them are of a run's recipe.

`python -m reference seeds FOLDER --json` wrote each file of `ranges/`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference.ledger.record import Record
from reference.lesson.recipe import FIELDS

RANGES = Path(__file__).parent / "ranges"
# A name changes nothing, and a seed is what varies. What data and checkpoint are called says less
# than their hashes.
FREE = ("name", "seed", "data", "checkpoint")


def find_range(header: Record) -> Record | None:
    """The stored seeds of the recipe, the data, the checkpoint and the kind of device of a run.

    Args:
        header: the first line of its ledger.

    Returns:
        What a file of `ranges/` holds; None where none is of that run, it is no recipe's, or
        several processes shared it.
    """
    if "recipe" not in header or "world_size" in header:
        return None
    mine = _identity(header)
    return next((each for each in stored() if _identity(each) == mine), None)


def stored() -> tuple[Record, ...]:
    """All of them, by the files' names."""
    return tuple(json.loads(path.read_text()) for path in sorted(RANGES.glob("*.json")))


def _identity(header: Record) -> dict[str, Any]:
    """What decides a run's scores, but for its seed and what rounds."""
    hashes = {part: header[part]["sha256"] for part in ("data", "checkpoint")}
    return {**dict(_values(header["recipe"])), **{f"{k} (hash)": v for k, v in hashes.items()}}


def _values(recipe: Record) -> Iterator[tuple[str, Any]]:
    # A field that is newer than the file has the default, which is what was done before it.
    for name, field in FIELDS.items():
        if name not in FREE:
            yield name, recipe.get(name, field.default)
