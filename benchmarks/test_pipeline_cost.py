"""What data and evaluation cost by themselves, and a whole epoch of each loop.

python -m pytest benchmarks -k "tokenizing or collating or epoch"
python -m pytest benchmarks -k epoch -m slow                       MiniLM and BERT-base
python -m pytest benchmarks -k epoch -m gpu                        on a CUDA device
"""

import math
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.counting import step_counts
from benchmarks.timing import quiet, recipes, rounds
from benchmarks.timing.checkpoints import cases, named, source_of
from benchmarks.timing.device_moments import Moments
from reference.lesson import embedded
from reference.lesson.data.pipeline import get_dataloaders, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.observe.tensors.hashing import hash_tensors


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


# Rows to train and to evaluate on, of larger models the first ones: an epoch of BERT-base over all
# takes half an hour on a CPU.
ROWS = {"embedded": (3668, 408), "minilm": (320, 200), "bert-base": (64, 64)}


@pytest.fixture(scope="session")
def epochs() -> dict[str, Any]:
    """Weights and scores that the loops ended with, by checkpoint."""
    return {}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("checkpoint", "device"), cases(ROWS, slow={"minilm", "bert-base"}))
def test_epoch_and_evaluation(
    benchmark: BenchmarkFixture,
    checkpoint: str,
    device: str,
    loop: str,
    tmp_path: Path,
    epochs: dict[str, Any],
) -> None:
    """The run's first epoch, and then its evaluation, by the loop as it stands.

    The epoch's time is from its first step's end on; the evaluation's to the loop's return.
    """
    source = source_of(checkpoint, tmp_path)
    whole = load_data(recipes.make_recipe(source, 6))
    train, validation = (range(rows) for rows in ROWS[checkpoint])
    data = replace(
        whole, train=whole.train.select(train), validation=whole.validation.select(validation)
    )
    batches = math.ceil(len(data.train) / 8)
    recipe = recipes.make_recipe(source, batches - 1, device)
    rounds.warm_up(recipe, data)
    moments = Moments(device)  # of each step's end, and of the loop's
    weights: list[torch.Tensor] = []

    def stepped(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        moments.mark()
        weights[:] = [p for group in optimizer.param_groups for p in group["params"]]

    def run() -> dict[str, float]:
        handle = register_optimizer_step_post_hook(stepped)
        try:
            with quiet.unheard():
                scores = get_loop(loop)(recipe, data)
        finally:
            handle.remove()
        moments.mark()
        return scores

    scores = benchmark.pedantic(run, rounds=1)
    assert len(moments) == batches + 1
    # The same run as the other loops', down to its weights and scores; known by the first of them.
    assert all(bool(weight.isfinite().all()) for weight in weights)
    found = sorted(hash_tensors(weights)), scores  # each loop has its own groups
    name = named(checkpoint, device)
    assert epochs.setdefault(name, found) == found, f"{loop} is another run"
    *times, evaluation = moments.between()
    figures = {
        "checkpoint": name,
        "steps": batches,
        "epoch_seconds": sum(times),
        "step_ms": 1000 * median(times),
        "evaluation_seconds": evaluation,
        "evaluated_rows": len(data.validation),
    }
    padding = step_counts.padding(recipe, data)
    benchmark.extra_info.update({**figures, **padding, **recipes.surroundings(recipe)})
