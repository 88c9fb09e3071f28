"""The rows of a failed step, named exactly, also where many rows are equal."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets import Dataset

from reference.errors import TrainingFailed
from reference.lesson.data.fetched_rows import Fetched
from reference.lesson.data.pipeline import SeededSampler
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from tests.lesson.data.files import splits, write_tsv

FAILING = 9  # the pass whose gradient isn't finite: the third of the second epoch's six batches


@pytest.fixture
def equal_rows(tmp_path: Path) -> Path:
    """44 training pairs, all with the same two sentences."""
    columns = splits("mrpc")
    for split, count in (("train", 44), ("validation", 4)):
        columns[split] = {name: [cells[0]] * count for name, cells in columns[split].items()}
    write_tsv(tmp_path / "data", "mrpc", columns)
    return tmp_path / "data"


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("loop", LOOPS)
def test_the_rows_of_a_failed_step(
    loop: str,
    accumulated: int,
    equal_rows: Path,
    small: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module(f"reference.lesson.loops.{loop}")
    original, passes = module.load_model, iter(range(1, 100))

    def poisoned(recipe: Recipe) -> torch.nn.Module:
        model: torch.nn.Module = original(recipe)
        model.get_submodule("classifier").get_parameter("bias").register_hook(
            lambda gradient: gradient * (float("nan") if next(passes) >= FAILING else 1.0)
        )
        return model

    monkeypatch.setattr(module, "load_model", poisoned)
    recipe = replace(small, data=str(equal_rows), gradient_accumulation_steps=accumulated)
    with pytest.raises(TrainingFailed) as failure:
        run(recipe, loop, tmp_path / "run")
    order = SeededSampler(44, recipe.seed)
    order.set_epoch(1)
    expected = [row + 1 for row in list(order)[16 : 16 + 8 * accumulated]]
    assert f"(training rows {', '.join(map(str, expected))});" in str(failure.value)


def test_tokens_go_before_the_count() -> None:
    """A loop that leaves a batch out has another count, and its rows are found still."""
    dataset = Dataset.from_dict({"input_ids": [[i, i] for i in range(10)]}).with_format("torch")
    fetched = Fetched(dataset, Recipe(train_batch_size=2))
    for rows in ([0, 1], [2, 3], [4, 5]):
        dataset.__getitems__(rows)
    padded = torch.tensor([[4, 4, 0], [5, 5, 0]])
    assert fetched.rows(2, [padded]) == [4, 5]
    assert fetched.rows(3, [padded + 1]) == []
