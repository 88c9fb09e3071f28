"""The scores of many seeds by one recipe, and where they come from: as one value, and as JSON."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reference.ledger.record import Record
from reference.lesson.checkpoints import is_local
from reference.messages import as_html
from reference.seeds.statistics import CONFIDENCE, Statistics, coverage, statistics_of

SEEDS_VERSION = 1
SOURCES = ("embedded", "hub")  # of data; any other is a folder's name, which only its machine has
ELSEWHERE = "a folder"


@dataclass(frozen=True)
class SeedScores:
    """The scores of many seeds by one recipe.

    Attributes:
        name: What a message calls them: their folder.
        header: What their ledgers' first lines have in common: all but the seed.
        provenance: The processor, the commit and the date of the first of them.
        metrics: By seed, in order: what `metrics.json` holds.
    """

    name: str
    header: Record
    provenance: Record
    metrics: dict[int, Record]

    @property
    def score_names(self) -> list[str]:
        """The task's scores."""
        return list(next(iter(self.metrics.values()))["scores"])

    def values(self, score: str) -> list[float]:
        """One score of each seed, in the seeds' order."""
        return [float(each["scores"][score]) for each in self.metrics.values()]

    def statistics(self) -> dict[str, Statistics]:
        """By score."""
        return {score: statistics_of(self.values(score)) for score in self.score_names}

    def to_json(self) -> Record:
        """All of it, as `ranges/` holds it: no folder's name is in it, the data's hash is."""
        return {
            "version": SEEDS_VERSION,
            **_without_folders(self.header),
            **self.provenance,
            "confidence": CONFIDENCE,
            "coverage": coverage(len(self.metrics)),
            "statistics": {
                score: dataclasses.asdict(each) for score, each in self.statistics().items()
            },
            "seeds": [
                {"seed": seed, **{name: each[name] for name in ("scores", "final_loss", "weights")}}
                for seed, each in self.metrics.items()
            ],
        }

    def _repr_html_(self) -> str:
        from reference.seeds.text import lines_of  # which has this module's values

        return as_html(lines_of(self))


def without_seed(header: Record) -> Record:
    """A ledger's first line without what differs from seed to seed."""
    kept = {name: value for name, value in header.items() if name not in ("kind", "schema")}
    recipe = {name: value for name, value in header["recipe"].items() if name != "seed"}
    return {**kept, "recipe": recipe}


def differences(left: Record, right: Record) -> list[tuple[str, Any, Any]]:
    """All fields in which two records differ, with both values."""
    mine, others = dict(_fields(left)), dict(_fields(right))
    return [
        (field, mine.get(field), others.get(field))
        for field in {**mine, **others}
        if mine.get(field) != others.get(field)
    ]


def _fields(record: Record, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _without_folders(header: Record) -> Record:
    """A header without names of folders: hashes say what was in them."""
    recipe, data, checkpoint = (dict(header[part]) for part in ("recipe", "data", "checkpoint"))
    if data["source"] not in SOURCES:
        data["source"] = recipe["data"] = ELSEWHERE
    if checkpoint["name"] != "minilm" and is_local(checkpoint["name"]):
        checkpoint["name"] = recipe["checkpoint"] = ELSEWHERE
    return {**header, "recipe": recipe, "data": data, "checkpoint": checkpoint}
