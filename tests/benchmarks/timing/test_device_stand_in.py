"""What a GPU's timing and counts rest on, without one: by a stand-in for `torch.cuda`."""

import os
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.timing import rounds
from benchmarks.timing.clock import Clock
from benchmarks.timing.measured_steps import AGAIN, BARE, Measured
from reference.lesson.data.pipeline import load_data
from reference.lesson.recipe import Recipe
from reference.run.environment_variables import see_one_gpu


class Device:
    """A stream in which events come to pass when somebody waits for it; its clock is in ms."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.now = 0.0
        self.queued: list[Event] = []

    def synchronize(self) -> None:
        self.calls.append("synchronize")
        for event in self.queued:
            self.now += event.work
            event.at = self.now
        self.queued = []


class Event:
    device: Device
    queue = 0.0  # the work, in ms, that was launched before the event

    def __init__(self, *, enable_timing: bool = False) -> None:
        assert enable_timing  # without it, PyTorch's events have no time
        self.at: float | None = None
        self.work = 0.0

    def record(self) -> None:
        self.device.calls.append("record")
        self.work, Event.queue = Event.queue, 0.0
        self.device.queued.append(self)

    def elapsed_time(self, end: "Event") -> float:
        assert self.at is not None, "the event hasn't come to pass: nobody waited for it"
        assert end.at is not None, "the event hasn't come to pass: nobody waited for it"
        return end.at - self.at


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Event.device = Device()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", device.synchronize)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    return device


def test_a_step_is_timed_between_two_events_with_the_device_idle(device: Device) -> None:
    Event.queue = 500.0  # another participant's, or of the time between two turns
    clock = Clock("cuda")
    for milliseconds in (12.5, 40.0):
        clock.restart()
        Event.queue = milliseconds  # launched, and not done: the host goes on
        step = clock.read()
        assert step.busy == pytest.approx(milliseconds / 1e3)
        assert step.wall < 1.0  # the host's own clock goes on beside it
    clock.close()
    one = ["synchronize", "record"]
    assert device.calls == [*one, *2 * [*one, "record", "synchronize"]]


def test_a_step_in_which_the_device_came_into_use_is_waited_for(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    clock = Clock("cuda")
    clock.restart()
    assert device.calls == []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    step = clock.read()
    clock.close()
    assert device.calls == ["record", "synchronize"]
    assert 0 <= step.busy < 1.0


def test_a_cpus_step_isnt_timed_by_a_device_that_something_else_uses(device: Device) -> None:
    clock = Clock()
    clock.restart()
    Event.queue = 500.0
    assert clock.read().busy < 0.5
    clock.close()
    assert device.calls == []


def test_a_participants_clock_is_its_recipes_devices(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks: list[str] = []

    def noted(self: Clock, device: str = "cpu") -> None:
        clocks.append(device)
        raise RuntimeError("seen")

    monkeypatch.setattr(Clock, "__init__", noted)
    data = load_data(small)
    for device in ("cpu", "cuda"):
        recipe = replace(small, device=device, max_steps=2)
        found = Measured(recipe)
        with pytest.raises(RuntimeError, match="seen"):
            rounds.add_turns(found, recipe, data, (BARE,))
    assert clocks == ["cpu", "cuda"]


def test_before_a_devices_rounds_one_warms_it_up(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[tuple[int, Any]] = []  # of how many steps, and of whom

    def add_turns(run: Measured, recipe: Recipe, _: Any, names: Any) -> None:
        added.append((recipe.max_steps, names))
        run.times.setdefault(BARE, []).append([0.01] * 6)
        run.times.setdefault(AGAIN, []).append([0.01] * 6)

    monkeypatch.setattr(rounds, "add_turns", add_turns)
    data = load_data(small)
    for name, warm in (("cpu", 0), ("cuda", 1)):
        added.clear()
        recipe = replace(small, device=name, max_steps=7)
        measured = rounds.measure(recipe, rounds=2, most_rounds=2, data=data)
        assert added == [added[0]] * (2 + warm)
        assert measured.rounds == 2


@pytest.mark.parametrize(("set_to", "seen"), [(None, "0"), ("3,1", "3"), ("2", "2")])
def test_one_gpu_is_seen(set_to: str | None, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if set_to is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", set_to)
    see_one_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
