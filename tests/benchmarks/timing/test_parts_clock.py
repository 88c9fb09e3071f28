"""A clock that keeps the parts of a step apart, and calls that are wrapped only while it runs."""

import pkgutil
import time
from time import perf_counter_ns
from typing import Any

import pytest
import torch

from benchmarks.timing.parts_clock import PartsClock, clock_cost, keep_parts, timed, wrapped
from benchmarks.timing.step_calls import CALLS, GENERATORS, PARTS, REST


def busy(seconds: float) -> None:
    """Of this thread's own time: a wait for a core is in no part."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


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
