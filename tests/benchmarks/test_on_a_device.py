"""Clocks, counts and parts on the CPU and on a GPU, by work whose size is known.

python -m pytest tests -m gpu -k on_a_device
"""

import importlib
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.counting import counts_of_bounds
from benchmarks.counting.step_counts import Counts, count_step
from benchmarks.measurements import step_parts
from benchmarks.timing import recipes, rounds, timed_work
from benchmarks.timing.clock import Clock
from benchmarks.timing.device_moments import Moments, duration
from benchmarks.timing.parts_clock import BARE_PARTS, WAITING
from benchmarks.timing.rounds import BARE
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe
from tests.conftest import DEVICES

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


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_lasts_until_its_device_is_done(device: str) -> None:
    work(device)  # a GPU is in use, and its cycles are counted
    clock = Clock(device)
    work(device)  # of somebody else's turn
    clock.restart()
    started = time.perf_counter()
    work(device)
    asked = time.perf_counter() - started
    step = clock.read()
    clock.close()
    assert 0.7 * SECONDS < step.busy < 1.7 * SECONDS  # and not the turn before
    assert step.wall > 0.7 * SECONDS
    if device == "cuda":
        assert asked < 0.3 * SECONDS  # or this test would tell nothing


@pytest.mark.parametrize("device", DEVICES)
def test_moments_are_the_devices(device: str) -> None:
    work(device)
    moments = Moments(device)
    started = time.perf_counter()
    for repeats in (0, 1, 3):
        for _ in range(repeats):
            work(device)
        moments.mark()
    asked = time.perf_counter() - started
    short, long = moments.between()
    assert len(moments) == 3
    assert 0.7 * SECONDS < short < 2 * SECONDS
    assert 2.5 * SECONDS < long < 5 * SECONDS
    if device == "cuda":
        assert asked < SECONDS  # nobody waited


@pytest.mark.parametrize("device", DEVICES)
def test_a_call_lasts_until_its_device_is_done(device: str) -> None:
    assert 0.7 * SECONDS < duration(partial(work, device), device) < 3 * SECONDS


def counted(loop: str, recipe: Recipe) -> Counts:
    return count_step(counts_of_bounds.trained(loop, recipe, load_data(recipe)), recipe.device)


def with_more(more: Callable[[torch.Tensor], Any], load_model: Callable[..., Any]) -> Any:
    """A loop's `load_model`, whose model does something more after each forward pass."""

    def load(recipe: Recipe) -> torch.nn.Module:
        model: torch.nn.Module = load_model(recipe)

        def hook(*_: Any) -> None:
            more(next(model.parameters()))

        model.register_forward_hook(hook)
        return model

    return load


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_added_to_a_step_is_counted(
    loop: str, device: str, small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same each time; and a kernel more, a value read more, are one more of each."""
    recipe = recipes.make_recipe("embedded", 3, device, data=small.data)
    plain = counted(loop, recipe)
    assert counted(loop, recipe) == plain
    module = importlib.import_module(f"reference.lesson.loops.{loop}")
    load_model = module.load_model

    def exp(weight: torch.Tensor) -> torch.Tensor:
        return weight.detach().exp()

    monkeypatch.setattr(module, "load_model", with_more(exp, load_model))
    kernel = counted(loop, recipe)
    assert kernel.reads == plain.reads
    assert kernel.bytes > plain.bytes
    monkeypatch.setattr(
        module, "load_model", with_more(lambda weight: exp(weight)[0, 0].item(), load_model)
    )
    read = counted(loop, recipe)
    assert read.reads == plain.reads + 1
    if device == "cuda":
        assert kernel.kernel_launches == plain.kernel_launches + 1
        assert kernel.synchronisations == plain.synchronisations
        assert read.kernel_launches == plain.kernel_launches + 1
        assert read.synchronisations == plain.synchronisations + 1


@pytest.mark.gpu
def test_a_bare_step_waits_for_nothing_but_its_mask(small: Recipe) -> None:
    """Transformers looks whether anything is padded; no clock of ours is in the count."""
    recipe = recipes.make_recipe("embedded", 3, "cuda", data=small.data)
    found = counted("bare", recipe)
    assert found.synchronisations == found.reads == 1
    assert found.kernel_launches is not None
    assert found.kernel_launches > 100


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_is_taken_apart(device: str, small: Recipe) -> None:
    recipe = recipes.make_recipe("embedded", 4, device, data=small.data)
    data = load_data(recipe)
    rounds.warm_up(recipe, data)
    trains = {
        BARE: timed_work.bare(recipe, data),
        "manual": timed_work.loop(get_loop("manual"), recipe, data),
    }
    apart = step_parts.take_apart(recipe, trains)
    for name in trains:
        spent = apart.spent(name)
        assert all(spent[part] > 0 for part in BARE_PARTS if part != WAITING)
        assert (spent[WAITING] > 0) == (device == "cuda")
        together = apart.parts[name].sum(axis=1) + apart.clock[name]
        # A GPU's step is its own between two events, within the host's.
        assert (apart.whole[name] <= together + 200).all()
        assert (np.abs(together - apart.whole[name]) < 2000).all()


@pytest.mark.gpu
def test_a_devices_own_work_is_waited_for(small: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that the host only asks for is no time of the host.

    After the forward pass: within it the host reads whether the mask pads anything, and waits.
    """
    cycles()  # counted before: that waits
    recipe = recipes.make_recipe("embedded", 4, "cuda", data=small.data)
    data = load_data(recipe)
    rounds.warm_up(recipe, data)
    module = importlib.import_module("reference.lesson.loops.manual")
    train = timed_work.loop(get_loop("manual"), recipe, data)
    plain = step_parts.take_apart(recipe, {"manual": train}).spent("manual")
    asking = with_more(lambda _: work("cuda"), module.load_model)
    monkeypatch.setattr(module, "load_model", asking)
    more = step_parts.take_apart(recipe, {"manual": train}).spent("manual")
    for part in ("step", WAITING):  # less what the host asked for meanwhile
        assert more[part] - plain[part] > 0.5e6 * SECONDS
