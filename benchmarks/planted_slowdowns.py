"""Slowdowns of a given size, planted in one loop: does the gate see them?"""

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from benchmarks.gate import STEPS
from benchmarks.timing import quiet, recipes, timed_work
from benchmarks.timing.clock import Clock
from benchmarks.timing.turns import Participant, take_turns
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import get_loop
from reference.lesson.recipe import Recipe

SHARE = 0.05  # of the loop's own step
CALLS = 20
Work = Callable[[], None]


def collator_work(parameters: Sequence[torch.Tensor]) -> None:
    """Busy work in Python, which no count shows: only the clock can see it."""
    sum(range(800))


def item_work(parameters: Sequence[torch.Tensor]) -> None:
    """An extra `.item()`, of a norm of weights: on a CPU `.item()` by itself costs nothing."""
    torch.linalg.vector_norm(parameters[0]).item()


def copy_work(parameters: Sequence[torch.Tensor]) -> None:
    """An extra copy."""
    parameters[0].clone()


PLANTS = {"collator": collator_work, "item": item_work, "copy": copy_work}


def seconds_of(work: Work) -> float:
    """One call's time: a median, after a warm-up.

    Several calls for each reading of the clock, since a reading takes as long as a short call.
    """
    clock, times = Clock(), []
    for _ in range(60):
        clock.restart()
        for _call in range(CALLS):
            work()
        times.append(clock.read().busy / CALLS)
    clock.close()
    return median(times[10:])


def step_seconds(loop: str, recipe: Recipe, data: Data) -> float:
    """The median time of the loop's own step, in a round beside the bare step."""
    participants = [
        Participant("bare", timed_work.bare_step(recipe, data), recipe.num_threads),
        Participant(loop, timed_work.loop(get_loop(loop), recipe, data), recipe.num_threads),
    ]
    with quiet.without_output():
        take_turns(participants, recipe.max_steps)
    return median(s.busy for s in participants[1].steps[1:])


@contextmanager
def planted(loop: str, plant: str, share: float = SHARE) -> Iterator[dict[str, Any]]:
    """Plant a slowdown in each step of a loop while the context lasts.

    Args:
        loop: its name.
        plant: one of `PLANTS`.
        share: how much longer a step becomes, as a part of the loop's own step.

    Yields:
        What was planted: calls a step, the step's milliseconds, and the share that they come to.
    """
    recipe = recipes.make_recipe("embedded", STEPS)
    data = recipes.short_evaluation(load_data(recipe))
    weights = [torch.randn(64, 64)] if plant == "item" else [torch.randn(512, 64)]
    step = step_seconds(loop, recipe, data)
    call = seconds_of(lambda: PLANTS[plant](weights))
    calls = max(1, round(share * step / call))
    module: Any = importlib.import_module(f"reference.lesson.loops.{loop}")
    train, load_model = module.train, module.load_model

    def work(*_: Any) -> None:
        for _call in range(calls):
            PLANTS[plant](weights)

    def with_collator(recipe: Recipe, data: Data) -> Any:
        collate = data.collator

        def slower(rows: Any) -> Any:
            work()
            return collate(rows)

        return train(recipe, dataclasses.replace(data, collator=slower))

    def with_hook(recipe: Recipe) -> torch.nn.Module:
        model: torch.nn.Module = load_model(recipe)
        model.register_forward_pre_hook(work)
        return model

    if plant == "collator":
        module.train = with_collator
    else:
        module.load_model = with_hook
    size = {"loop": loop, "plant": plant, "calls": calls, "step_ms": 1000 * step}
    try:
        yield {**size, "share": calls * call / step}
    finally:
        module.train, module.load_model = train, load_model
