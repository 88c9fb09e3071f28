"""The recipe that is timed, and what a time says nothing without."""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.timing.peak_memory import peak_bytes
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.versions import machine, versions
from reference.run.prepare import prepare


def make_recipe(checkpoint: str, steps: int, device: str = "cpu", **fields: Any) -> Recipe:
    """The embedded recipe, prepared for this process.

    Args:
        checkpoint: `embedded`, `minilm`, or a folder.
        steps: that are timed; one more is taken before them.
        device: `cpu` or `cuda`.
        fields: other fields of the recipe, by name.

    Raises:
        InputError: no such checkpoint, device or field.
    """
    given = {"checkpoint": checkpoint, "device": device, "max_steps": steps + 1, **fields}
    return prepare(load_recipe("embedded", given))


def short_evaluation(data: Data) -> Data:
    """The same training data, with eight rows to evaluate on: for when evaluating isn't timed."""
    return replace(data, validation=data.validation.select(range(8)))


def surroundings(recipe: Recipe) -> dict[str, Any]:
    """Versions, threads, device, platform, memory: every benchmark's `extra_info` has them."""
    cuda = recipe.device == "cuda"
    return {
        "versions": versions(),
        "threads": recipe.num_threads,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "platform": machine(),
        "peak_process_bytes": peak_bytes(),
    }
