"""What data and evaluation cost by themselves, and a whole epoch of each loop.

python -m pytest benchmarks -k "tokenizing or collating or epoch"
python -m pytest benchmarks -k epoch -m slow                       MiniLM and BERT-base
"""

import math
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks import exact, measured
from benchmarks.checkpoints import source_of
from reference.data.pipeline import get_dataloaders, load_data
from reference.loops import LOOPS, get_loop


def test_tokenizing(benchmark: BenchmarkFixture) -> None:
    """From the raw text of both splits to token ids."""
    recipe = measured.make_recipe("embedded", 6)
    data = benchmark.pedantic(load_data, args=(recipe,), rounds=2, warmup_rounds=1)
    rows = len(data.train) + len(data.validation)
    assert rows > 4000
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update({"rows": rows, "rows_a_second": rows / seconds})
    benchmark.extra_info.update(measured.surroundings(recipe))


def test_collating(benchmark: BenchmarkFixture) -> None:
    """An epoch's batches, fetched and padded."""
    recipe = measured.make_recipe("embedded", 6)
    data = load_data(recipe)

    def epoch() -> int:
        dataloader, _ = get_dataloaders(recipe, data)
        return sum(1 for _ in dataloader)

    batches = benchmark.pedantic(epoch, rounds=3, warmup_rounds=1)
    assert batches == math.ceil(len(data.train) / recipe.train_batch_size)
    seconds = benchmark.stats.stats.min
    figures: dict[str, Any] = {"steps": batches, "batches_a_second": batches / seconds}
    padding = exact.padding(replace(recipe, max_steps=batches), data)
    benchmark.extra_info.update({**figures, **padding, **measured.surroundings(recipe)})


# Rows to train and to evaluate on, of larger models the first ones: an epoch of BERT-base over all
# takes half an hour.
ROWS = {"embedded": (3668, 408), "minilm": (320, 200), "bert-base": (64, 64)}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "checkpoint",
    [
        "embedded",
        pytest.param("minilm", marks=pytest.mark.slow),
        pytest.param("bert-base", marks=pytest.mark.slow),
    ],
)
def test_epoch_and_evaluation(
    benchmark: BenchmarkFixture, checkpoint: str, loop: str, tmp_path: Path
) -> None:
    """The run's first epoch, and then its evaluation, by the loop as it stands."""
    source = source_of(checkpoint, tmp_path)
    whole = load_data(measured.make_recipe(source, 6))
    train, validation = (range(rows) for rows in ROWS[checkpoint])
    data = replace(
        whole, train=whole.train.select(train), validation=whole.validation.select(validation)
    )
    batches = math.ceil(len(data.train) / 8)
    recipe = measured.make_recipe(source, batches - 1)
    steps: list[float] = []
    ended: list[float] = []

    def run() -> dict[str, float]:
        steps.clear()
        handle = register_optimizer_step_post_hook(lambda *_: steps.append(time.perf_counter()))
        try:
            with measured.unheard():
                return get_loop(loop)(recipe, data)
        finally:
            handle.remove()
            ended.append(time.perf_counter())

    scores = benchmark.pedantic(run, rounds=1)
    assert len(steps) == batches
    assert 0 <= scores["accuracy"] <= 1
    times = [after - before for before, after in pairwise(steps)]
    figures = {
        "checkpoint": checkpoint,
        "steps": batches,
        "epoch_seconds": steps[-1] - steps[0],
        "step_ms": 1000 * median(times),
        "evaluation_seconds": ended[-1] - steps[-1],
        "evaluated_rows": len(data.validation),
    }
    padding = exact.padding(recipe, data)
    benchmark.extra_info.update({**figures, **padding, **measured.surroundings(recipe)})
