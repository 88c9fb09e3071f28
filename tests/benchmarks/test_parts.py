"""The parts of a step: they sum to it, a plant shows in its own part, and nothing else changes."""

import pkgutil
import threading
import time
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import DataCollatorWithPadding
from transformers.trainer_callback import DefaultFlowCallback

from benchmarks import parts
from benchmarks.measurements import step_parts
from benchmarks.timing import recipes, timed_work
from benchmarks.timing.parts_clock import (
    BARE_PARTS,
    CALLS,
    GENERATORS,
    PARTS,
    REST,
    PartsClock,
    clock_cost,
    keep_parts,
    timed,
    wrapped,
)
from benchmarks.timing.rounds import BARE
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import get_loop, manual
from reference.lesson.recipe import Recipe

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


FEW = ("logging", "data")  # of a loop each; the others take as long


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
        BARE: timed_work.bare(recipe, data),
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


def test_times_are_exclusive() -> None:
    inner = timed(lambda: busy(0.002), "scheduler")
    outer = timed(lambda: (busy(0.004), inner()), "logging")
    within_a_bare_part = timed(lambda: (busy(0.006), outer()), "forward")
    clock = PartsClock()
    keep_parts(clock)
    try:
        started = perf_counter_ns()
        clock.restart()
        outer()
        within_a_bare_part()
        busy(0.003)
        step = clock.read()
        wall = perf_counter_ns() - started
    finally:
        keep_parts(None)
        clock.close()
    spent = dict(zip(PARTS, clock.steps[0].nanoseconds, strict=True))
    wanted = {"scheduler": 2e6, "logging": 4e6, "forward": 12e6, REST: 3e6}
    for part in PARTS:  # busy by the wall, of which waiting for a core is no part
        assert spent[part] <= wanted.get(part, 0) + 1e6, part
    assert 1e9 * step.busy - sum(spent.values()) < 1e5
    assert sum(spent.values()) <= wall


def test_the_clock_knows_its_own_cost() -> None:
    inside, around = clock_cost()
    assert 100 < inside < 1e5
    assert 100 < around < 1e5


def _now() -> dict[str, Any]:
    owners = [(pkgutil.resolve_name(where), name) for _, where, name in (*CALLS, *GENERATORS)]
    return {f"{owner}.{name}": vars(owner).get(name) for owner, name in owners}


def test_everything_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with wrapped():
        pass  # PyTorch has put its own hooks around `step`, which stay
    before = _now()
    with wrapped() as absent:
        during = _now()
        assert torch.tensor([2.0]).item() == 2.0
    assert not absent
    assert _now() == before
    assert all(during[name] is not before[name] for name in before)
    # A name of the library's own may be gone, and is told; another is an error, and all is undone.
    from torch.utils.data import dataloader
    from transformers import Trainer

    monkeypatch.delattr(Trainer, "_get_learning_rate")
    monkeypatch.delattr(dataloader, "_BaseDataLoaderIter")
    with wrapped() as absent:
        pass
    assert absent == [
        "torch.utils.data.dataloader:_BaseDataLoaderIter.__next__",
        "transformers:Trainer._get_learning_rate",
    ]
    monkeypatch.delattr(Trainer, "floating_point_ops")
    with pytest.raises(AttributeError, match="floating_point_ops"), wrapped():
        pass
    monkeypatch.undo()
    assert _now() == before


def test_a_wrong_number_of_steps_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["--steps", "12"]) == 2
    assert capsys.readouterr().err == (
        "error: steps: 12 isn't a multiple of 8, one for each order\n"
    )
