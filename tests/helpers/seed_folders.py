"""Folders of finished seeds, written as `seeds` writes them, with scores of one's own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference.ledger.record import LEDGER_FILE, Record, Writer
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.versions import versions
from reference.process.whole_files import write_json
from reference.seeds.folder import PLAN, plan_of


def recipe(**fields: Any) -> Recipe:
    return load_recipe("embedded", {"device": "cpu", **fields})


def header(of: Recipe, **instead: Any) -> Record:
    """The first line of a ledger, with hashes that are words."""
    return {
        "loop": "manual",
        "recipe": of.to_json(),
        "data": {"source": of.data, "sha256": "rows"},
        "checkpoint": {"name": of.checkpoint, "sha256": "weights"},
        "versions": versions(),
        "device": "cpu",
        "num_training_steps": 9,
        **instead,
    }


def write_seed(path: Path, of: Recipe, scores: Mapping[str, Any], **instead: Any) -> None:
    """One finished seed: the recipe's."""
    folder = path / str(of.seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LEDGER_FILE).unlink(missing_ok=True)
    Writer(folder / LEDGER_FILE, header(of, **instead)).close()
    metrics = {"scores": dict(scores), "final_loss": 0.5, "weights": "hash"}
    (folder / "metrics.json").write_text(json.dumps(metrics))


def write_seeds(path: Path, accuracies: Mapping[int, float], **fields: Any) -> Path:
    """A folder with a seed for each accuracy, by a recipe with these fields."""
    first = recipe(seed=next(iter(accuracies)), **fields)
    write_json(path / PLAN, plan_of(first, "manual"))
    for seed, accuracy in accuracies.items():
        write_seed(path, recipe(seed=seed, **fields), {"accuracy": accuracy, "f1": accuracy / 2})
    return path
