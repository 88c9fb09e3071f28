"""A whole epoch and an evaluation of each loop, as it stands.

python -m pytest benchmarks -k epoch
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
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.metrics import Scores
from reference.observe.tensors.hashing import hash_tensors

# Rows to train and to evaluate on. Larger models take the first ones only: an epoch of BERT-base
# over all rows takes half an hour on a CPU.
ROWS = {"embedded": (3668, 408), "minilm": (320, 200), "bert-base": (64, 64)}


@pytest.fixture(scope="session")
def epochs() -> dict[str, Any]:
    """Weights and scores that the first loop ended with, by checkpoint and device."""
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
    """An epoch is timed from its first step's end on; the evaluation ends as the loop returns."""
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

    def run() -> dict[int, Scores]:
        handle = register_optimizer_step_post_hook(stepped)
        try:
            with quiet.without_output():
                scores = get_loop(loop)(recipe, data)
        finally:
            handle.remove()
        moments.mark()
        return scores

    scores = benchmark.pedantic(run, rounds=1)
    assert len(moments) == batches + 1
    # The same run as the first loop's, down to its weights and scores.
    assert all(bool(weight.isfinite().all()) for weight in weights)
    ended_with = sorted(hash_tensors(weights)), scores  # sorted: each loop has its own groups
    name = named(checkpoint, device)
    assert epochs.setdefault(name, ended_with) == ended_with, f"{loop} is another run"
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
