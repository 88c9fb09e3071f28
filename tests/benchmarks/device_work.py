"""Work of a known size, on the CPU and on a GPU."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch

from benchmarks.timing.device_moments import duration
from reference.lesson.recipe import Recipe

SECONDS = 0.05


@cache
def cycles() -> int:
    """How many of a GPU's cycles last `SECONDS`; measured, since its clock moves."""
    torch.cuda._sleep(100_000_000)
    tried = duration(partial(torch.cuda._sleep, 100_000_000), "cuda")
    return round(100_000_000 * SECONDS / tried)


def work(device: str) -> None:
    """`SECONDS` long. A GPU's host only asks for it, and goes on."""
    if device == "cuda":
        torch.cuda._sleep(cycles())
    else:
        time.sleep(SECONDS)


def with_more(more: Callable[[torch.Tensor], Any], load_model: Callable[..., Any]) -> Any:
    """A loop's `load_model`, whose model does something more after each forward pass."""

    def load(recipe: Recipe) -> torch.nn.Module:
        model: torch.nn.Module = load_model(recipe)

        def hook(*_: Any) -> None:
            more(next(model.parameters()))

        model.register_forward_hook(hook)
        return model

    return load
