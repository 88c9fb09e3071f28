"""One small run that saved its model, for all tests of it."""

from pathlib import Path

import pytest

from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.run.one_run import run


@pytest.fixture(scope="session")
def small_recipe(small_glue: Path) -> Recipe:
    return load_recipe("embedded", {"data": str(small_glue), "device": "cpu", "max_steps": 6})


@pytest.fixture(scope="session")
def saved(small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "run"
    run(small_recipe, "manual", folder, save=True)
    return folder
