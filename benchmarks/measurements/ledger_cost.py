"""What keeping a ledger costs: the same steps, observed and not, in turn in one process.

    python -m pytest benchmarks -k "observing or diff" -s
    python -m pytest benchmarks -m gpu -k observing -s        on a CUDA device

Each batch is trained on three times, in blocks: plain, observed, plain. The observed step's time
is divided by the mean of the two plain ones, and the median of these ratios is the cost. Its bound
is in `bounds.toml`. On a CUDA device it has none: there each gradient and weight is copied to the
host to be hashed, and how long that takes depends on the machine.
"""

import copy
import json
import timeit
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.optim import AdamW
from transformers import get_scheduler, set_seed

from benchmarks.bounds.read import read_bounds
from benchmarks.counting import step_counts
from benchmarks.timing.checkpoints import cases, named, source_of
from benchmarks.timing.device_moments import duration
from benchmarks.timing.paired_ratio import ratio
from benchmarks.timing.recipes import surroundings
from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import Record, Writer
from reference.lesson.data.pipeline import get_dataloaders, load_data
from reference.lesson.model import load_model, parameter_groups
from reference.lesson.recipe_sources import load_recipe
from reference.observe.generators import generators, set_generators
from reference.observe.observer import Observer
from reference.run.prepare import prepare

STEPS = {"embedded": 120, "minilm": 48}
BLOCK = 4
PARSINGS = 8  # times as long as parsing its lines takes: no more for a diff (3 to 6 seen)
FIRST = 3  # steps that aren't timed: the model is named and hooked, and caches are filled


def make_step(recipe: Any) -> tuple[Callable[[Any], None], torch.nn.Module]:
    """One training step, as the manual loop makes it, and its model."""
    model = load_model(recipe)
    model.to(recipe.device)
    set_seed(recipe.seed)
    optimizer = AdamW(parameter_groups(model, 0.0), lr=recipe.learning_rate, fused=True)
    scheduler = get_scheduler("linear", optimizer, 0, 10_000)
    model.train()

    def step(batch: Any) -> None:
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()

    return step, model


@pytest.mark.parametrize(("checkpoint", "device"), cases(STEPS))
def test_observing(
    benchmark: BenchmarkFixture, checkpoint: str, device: str, tmp_path: Path
) -> None:
    """What an observed step takes, by a plain one."""
    source_of(checkpoint, tmp_path)  # skips the benchmark where MiniLM isn't installed
    recipe = prepare(load_recipe("embedded", {"checkpoint": checkpoint, "device": device}))
    data = load_data(recipe)
    loader, _ = get_dataloaders(recipe, data)
    batches = [
        {name: tensor.to(device) for name, tensor in batch.items()}
        for batch in islice(loader, STEPS[checkpoint])
    ]
    step, model = make_step(recipe)
    other, twin = make_step(recipe)
    # Equal first: observed or not, a step gives the same weights.
    with Observer(Writer(tmp_path / "first.jsonl", {})) as observer:
        observer.remove_hooks()
        for batch in batches[:3]:
            states = generators()
            step(batch)
            set_generators(states)
            observer.__enter__()
            other(batch)
            observer.remove_hooks()
    weights = zip(model.parameters(), twin.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in weights)
    blocks: list[tuple[list[float], list[float], list[float]]] = []  # before, observed, after

    def times(block: list[Any]) -> list[float]:
        return [duration(partial(step, batch), device) for batch in block]

    def rounds() -> None:
        for start in range(0, len(batches), BLOCK):
            block = batches[start : start + BLOCK]
            before = times(block)
            with Observer(Writer(tmp_path / f"{start}.jsonl", {})):
                for batch in block[:FIRST]:
                    step(batch)
                observed = times(block)
            blocks.append((before, observed, times(block)))

    benchmark.pedantic(rounds, rounds=1, iterations=1)
    before, observed, after = np.array(blocks).transpose(1, 0, 2)
    cost, drift = ratio(observed, (before + after) / 2), ratio(after, before)
    name = f"{named(checkpoint, device)}-manual-observing"
    benchmark.extra_info.update(
        {
            "checkpoint": named(checkpoint, device),
            "ratios": {name: asdict(cost)},
            "plain_by_plain": asdict(drift),
            "steps": observed.size,
            "plain_step_ms": 1000 * float(np.median(before)),
            **step_counts.padding(replace(recipe, max_steps=len(batches)), data),
            **surroundings(recipe),
        }
    )
    more = f"{observed.size} steps; plain against itself {drift}"
    print(f"\n{named(checkpoint, device)}: observed / plain step {cost}, {more}")
    # The bound itself is held after every benchmark (conftest.py).
    assert any(bound.name == name for bound in read_bounds().ratios) == (device == "cpu")


def test_diff_of_two_long_ledgers(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """1377 steps of 41 tensors, unequal in every step: the most that a diff has to look at."""
    recipe = load_recipe("embedded", {"device": "cpu", "max_steps": 2})
    loader, _ = get_dataloaders(recipe, load_data(recipe))
    step, _ = make_step(recipe)
    first = tmp_path / "two.jsonl"
    with Observer(Writer(first, {})):
        for batch in islice(loader, 2):
            step(dict(batch))
    for name, loss in (("a", 0.5), ("b", 0.25)):
        _prolong(first, tmp_path / name, 1377, loss)
    paths = tmp_path / "a", tmp_path / "b"
    verdict = benchmark.pedantic(diff, args=paths, rounds=5)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "forward")
    seconds = benchmark.stats.stats.min
    parsing = min(timeit.repeat(lambda: _parse(paths), number=1, repeat=5))
    benchmark.extra_info.update({"compared_steps": 1377, **surroundings(recipe)})
    print(f"\ndiff of two ledgers of 1377 steps: {seconds:.2f} s, {seconds / parsing:.1f} times as")
    print(f"long as parsing their lines ({parsing:.2f} s)")
    assert seconds / parsing < PARSINGS


def _parse(paths: tuple[Path, ...]) -> None:
    for path in paths:
        for line in path.read_bytes().splitlines():
            json.loads(line)


def _prolong(two: Path, into: Path, steps: int, loss: float) -> None:
    """A ledger of `steps` copies of the second step of `two`, with another loss."""
    ledger = read_ledger(two)
    writer = Writer(into, {})
    for model in ledger.models:
        writer.write(model)
    for number in range(1, steps + 1):
        record: Record = copy.deepcopy(ledger.steps[1])
        record["step"] = number
        record["forward"][0]["loss"] = loss
        writer.write(record)
    writer.write({"kind": "end", "complete": True, "steps": steps, "weights": ""})
    writer.close()
