"""The clock that leaves out what a thread waited for a core."""

import itertools

import pytest

from benchmarks.timing.clock import Clock


def test_all_three_clocks_are_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait between two of them would be taken off a time that it isn't in."""
    clock = Clock()
    # The first reading is interrupted by a wait of an hour; after that there is none.
    waits = itertools.chain([0], itertools.repeat(3_600_000_000_000))
    monkeypatch.setattr(clock, "_waited", lambda: next(waits))
    clock.restart()
    step = clock.read()
    clock.close()
    assert step.busy > 0
