"""Runs of the manual loop with deviations, each recipe's own run made once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import reference.run.one_run
from reference.deviations import Chosen, train_with
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe


@dataclass(frozen=True)
class Kept:
    """A run: its ledger, and what `metrics.json` holds."""

    ledger: Ledger
    metrics: dict[str, Any]


Keep = Callable[..., Kept]


@pytest.fixture(scope="session")
def kept_runs() -> dict[Recipe, Kept]:
    return {}


@pytest.fixture(scope="session")
def kept_data() -> dict[tuple[str, int], Data]:
    return {}


@pytest.fixture
def keep(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept_runs: dict[Recipe, Kept],
    kept_data: dict[tuple[str, int], Data],
) -> Keep:
    """`keep(recipe, *chosen)`: the manual loop by the recipe, with these deviations."""

    def data_of(recipe: Recipe) -> Data:
        key = (recipe.data, recipe.max_length)
        if key not in kept_data:
            kept_data[key] = load_data(recipe)
        return kept_data[key]

    def run(recipe: Recipe, *chosen: Chosen) -> Kept:
        if not chosen and recipe in kept_runs:
            return kept_runs[recipe]
        monkeypatch.setattr(reference.run.one_run, "get_loop", lambda _: train_with(chosen))
        monkeypatch.setattr(reference.run.one_run, "load_data", data_of)
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        metrics = reference.run.one_run.run(recipe, "manual", folder)
        kept = Kept(read_ledger(folder / LEDGER_FILE), metrics)
        if not chosen:
            kept_runs[recipe] = kept
        return kept

    return run
