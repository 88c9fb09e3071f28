"""The recipes that are timed."""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.timing.peak_memory import peak_bytes
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe, load_recipe
from reference.process.versions import machine, versions
from reference.run.prepare import prepare


def make_recipe(checkpoint: str, steps: int, device: str = "cpu", **fields: Any) -> Recipe:
    """The embedded recipe with another checkpoint, for `steps` timed steps and one before."""
    given = {"checkpoint": checkpoint, "device": device, "max_steps": steps + 1, **fields}
    return prepare(load_recipe("embedded", given))


def short_evaluation(data: Data) -> Data:
    """The same training data; eight rows to evaluate on, where evaluating isn't timed."""
    return replace(data, validation=data.validation.select(range(8)))


def surroundings(recipe: Recipe) -> dict[str, Any]:
    """Versions, threads, device and memory, as a run's JSON holds them."""
    cuda = recipe.device == "cuda"
    return {
        "versions": versions(),
        "threads": recipe.num_threads,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "platform": machine(),
        "peak_process_bytes": peak_bytes(),
    }
