"""Clocks on the CPU and on a GPU, by work whose size is known.

python -m pytest tests -m gpu -k device
"""

import time
from functools import partial

import pytest

from benchmarks.timing.clock import Clock
from benchmarks.timing.device_moments import Moments, duration
from tests.benchmarks.device_work import SECONDS, work
from tests.conftest import DEVICES


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
    lasted = time.perf_counter() - started
    clock.close()
    assert 0.7 * SECONDS < step.busy < lasted  # the turn before isn't in it
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
    lasted = time.perf_counter() - started
    assert len(moments) == 3
    assert short > 0.7 * SECONDS
    assert long > 2.5 * SECONDS
    assert short + long < lasted
    if device == "cuda":
        assert asked < SECONDS  # nobody waited


@pytest.mark.parametrize("device", DEVICES)
def test_a_call_lasts_until_its_device_is_done(device: str) -> None:
    started = time.perf_counter()
    seconds = duration(partial(work, device), device)
    assert 0.7 * SECONDS < seconds < time.perf_counter() - started
