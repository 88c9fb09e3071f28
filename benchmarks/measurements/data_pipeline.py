"""What the data costs by itself: tokenizing both splits, and collating an epoch's batches.

python -m pytest benchmarks -k "tokenizing or collating"
"""

import math
from dataclasses import replace
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.counting import step_counts
from benchmarks.timing import recipes
from reference.lesson import embedded
from reference.lesson.data.pipeline import get_dataloaders, load_data


def test_tokenizing(benchmark: BenchmarkFixture) -> None:
    """From the raw text of both splits to token ids."""
    recipe = recipes.make_recipe("embedded", 6)
    data = benchmark.pedantic(load_data, args=(recipe,), rounds=5, warmup_rounds=1)
    splits = (("train", data.train), ("validation", data.validation))
    for split, rows_of in splits:
        raw = embedded.make_split("mrpc", split)
        ids = data.tokenizer(raw["sentence1"][0], raw["sentence2"][0])["input_ids"]
        assert len(rows_of) == len(raw["label"])
        assert list(rows_of[0]["input_ids"]) == list(ids)
    rows = sum(len(rows_of) for _, rows_of in splits)
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update({"rows": rows, "rows_a_second": rows / seconds})
    benchmark.extra_info.update(recipes.surroundings(recipe))


def test_collating(benchmark: BenchmarkFixture) -> None:
    """An epoch's batches, fetched and padded."""
    recipe = recipes.make_recipe("embedded", 6)
    data = load_data(recipe)

    def epoch() -> int:
        dataloader, _ = get_dataloaders(recipe, data)
        return sum(1 for _ in dataloader)

    batches = math.ceil(len(data.train) / recipe.train_batch_size)
    padding = step_counts.padding(replace(recipe, max_steps=batches), data)
    # Each row once, whole: the batches' real tokens are the rows' own.
    assert padding["tokens"] == sum(len(ids) for ids in data.train["input_ids"])
    assert benchmark.pedantic(epoch, rounds=3, warmup_rounds=1) == batches
    seconds = benchmark.stats.stats.min
    figures: dict[str, Any] = {"steps": batches, "batches_a_second": batches / seconds}
    benchmark.extra_info.update({**figures, **padding, **recipes.surroundings(recipe)})
