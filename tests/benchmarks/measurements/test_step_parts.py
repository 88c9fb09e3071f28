"""The parts of a step: they sum to it, a plant shows in its own part, and nothing else changes."""

import importlib
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import DataCollatorWithPadding
from transformers.trainer_callback import DefaultFlowCallback

from benchmarks.measurements import step_parts
from benchmarks.timing import recipes, rounds, timed_work
from benchmarks.timing.measured_steps import BARE
from benchmarks.timing.step_calls import BARE_PARTS, PARTS, REST, WAITING
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import get_loop, manual
from reference.lesson.recipe import Recipe
from tests.benchmarks.device_work import SECONDS, cycles, with_more, work
from tests.conftest import DEVICES

STEPS = 48  # of each; four participants have four orders
PLANT = 3000e-6  # seconds
# Microseconds by which medians of 48 pairs may move of themselves: other models lie elsewhere in
# memory, which alone moved a step by 200.
APART = 1000
PLANTED = "planted"


def busy(seconds: float) -> None:
    """Of this thread's own time: a wait for a core is in no part."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def with_plant(call: Callable[..., Any]) -> Callable[..., Any]:
    """Busy first, in the thread of one participant."""

    def planted(*args: Any, **kwargs: Any) -> Any:
        if threading.current_thread().name == PLANTED:
            busy(PLANT)
        return call(*args, **kwargs)

    return planted


def short(small: Recipe) -> Recipe:
    return recipes.make_recipe("embedded", STEPS, data=small.data)


PLANTS = {
    "scheduler": ("manual", LRScheduler, "step"),
    "logging": ("trainer", DefaultFlowCallback, "on_step_end"),
    "synchronisation": ("trainer", torch, "isnan"),
    "data": ("accelerated", DataCollatorWithPadding, "__call__"),
    REST: ("manual", manual, "len"),  # where the loop itself works, which no part names
}


FEW = ("logging",)  # the others take as long


@pytest.mark.parametrize(
    "part", [p if p in FEW else pytest.param(p, marks=pytest.mark.slow) for p in PLANTS]
)
def test_a_plant_shows_in_its_own_part(
    part: str, small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the same loop without it, which is taken apart in turn with it."""
    loop, owner, name = PLANTS[part]
    if name == "len":
        calls = iter(range(10**9))

        def once_a_step(of: Any) -> int:
            if threading.current_thread().name == PLANTED and next(calls) % 2:
                busy(PLANT)
            return len(of)

        monkeypatch.setattr(owner, name, once_a_step, raising=False)
    else:
        monkeypatch.setattr(owner, name, with_plant(getattr(owner, name)))
    recipe = short(small)
    data = load_data(recipe)
    train = timed_work.loop(get_loop(loop), recipe, data)
    apart = step_parts.take_apart(recipe, {loop: train, PLANTED: train})
    added = apart.added(PLANTED, loop)
    assert abs(added.pop(part) - 1e6 * PLANT) < APART, added
    for other in set(PARTS) - {part}:
        assert abs(added[other]) < APART, added


def test_parts_and_the_rest_sum_to_the_step() -> None:
    recipe = recipes.make_recipe("embedded", STEPS)  # one epoch, as the bare step needs it
    data = load_data(recipe)
    trains = {
        BARE: timed_work.bare_step(recipe, data),
        "manual": timed_work.loop(manual.train, recipe, data),
    }
    apart = step_parts.take_apart(recipe, trains)
    for name in trains:
        assert apart.parts[name].shape == (STEPS, len(PARTS))
        together = apart.parts[name].sum(axis=1) + apart.clock[name]
        assert np.abs(together - apart.whole[name]).max() < 0.1  # by two sums of floats
        spent = apart.spent(name)
        named = sum(np.median(apart.parts[name][:, PARTS.index(part)]) for part in BARE_PARTS)
        assert abs(named + spent[step_parts.AROUND] - spent["step"]) < 0.1 * spent["step"]
        assert all(spent[part] > 0 for part in ("forward", "backward", "clip", "optimizer", "zero"))
        # Nothing is counted twice: a like model without a clock takes as long, as far as a busy
        # machine can tell (more than 5 % apart was seen on one).
        assert abs(apart.left_in(name)) < 0.25 * spent["step"]
    assert apart.spent(BARE)["data"] == apart.spent(BARE)["logging"] == 0
    assert apart.spent("manual")["data"] > 100


def test_another_run_is_not_taken_apart(small: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    step = LRScheduler.step

    def skipped(self: LRScheduler, *args: Any) -> None:
        if threading.current_thread().name != PLANTED:
            step(self, *args)

    recipe = recipes.make_recipe("embedded", 4, data=small.data)
    train = timed_work.loop(manual.train, recipe, load_data(recipe))
    monkeypatch.setattr(LRScheduler, "step", skipped)
    with pytest.raises(TrainingFailed, match="unequal weights"):
        step_parts.take_apart(recipe, {"manual": train, PLANTED: train})


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_is_taken_apart(device: str, small: Recipe) -> None:
    recipe = recipes.make_recipe("embedded", 4, device, data=small.data)
    data = load_data(recipe)
    rounds.warm_up(recipe, data)
    trains = {
        BARE: timed_work.bare_step(recipe, data),
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
