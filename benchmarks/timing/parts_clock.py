"""A clock that keeps the parts of a step apart.

For the time of a measurement the calls of `step_calls.py` are wrapped where they are looked up: on
their class, or in their module. The loops stay as they are. In a thread without such a clock a
wrapped call does nothing but call.
"""

import functools
import pkgutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from benchmarks.timing.clock import Clock, Step
from benchmarks.timing.step_calls import BARE_PARTS, CALLS, GENERATORS, PARTS, REST, WAITING

_PLACES = {part: place for place, part in enumerate(PARTS)}
_REST, _WAITING = _PLACES[REST], _PLACES[WAITING]
_BARE = frozenset(_PLACES[part] for part in BARE_PARTS)


@dataclass(frozen=True)
class Spent:
    """One step by parts, in the order of `PARTS`: nanoseconds, and counts of wrapped calls."""

    nanoseconds: tuple[int, ...]
    entered: tuple[int, ...]  # calls that this part is
    left_for: tuple[int, ...]  # calls that were made out of this part


class PartsClock(Clock):
    """A clock that also has each step by parts, in `steps`.

    A nested call's time is its own part's, and not that of the part around it; but what is called
    within forward, backward, clip, optimizer or zero belongs to that, as in the bare step. What no
    part names is the rest. On a CUDA device a part is the time in which the host asks the device
    for work; what the device needs beyond that is `WAITING`.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.steps: list[Spent] = []
        self._stack = [_REST]
        super().__init__(device)

    def restart(self) -> None:
        """A step begins now, with all parts at zero."""
        self._nanoseconds, self._entered, self._left_for = ([0] * len(PARTS) for _ in range(3))
        super().restart()
        self._last = self._began = self._by(*self._started)

    def read(self) -> Step:
        """The time since the last `restart`; the parts are appended to `steps`."""
        if self._on_device():
            self._account(self._busy())
            self._stack.append(_WAITING)
            step = super().read()
            self._account(self._busy())
            self._stack.pop()
        else:
            step = super().read()
            self._account(self._began + round(1e9 * step.busy))  # the parts end where the step does
        counts = (tuple(c) for c in (self._nanoseconds, self._entered, self._left_for))
        self.steps.append(Spent(*counts))
        return step

    def enters(self, place: int) -> bool:
        """Whether a call of this part changes the part that the time goes to."""
        top = self._stack[-1]
        return top not in _BARE and top != place

    def enter(self, place: int) -> None:
        """A call of the part at this place of `PARTS` begins."""
        top = self._stack[-1]
        self._left_for[top] += 1
        self._entered[place] += 1
        self._account(self._busy())
        self._stack.append(place)

    def leave(self) -> None:
        """The call that was entered last is over."""
        self._account(self._busy())
        self._stack.pop()

    def _account(self, now: int) -> None:
        self._nanoseconds[self._stack[-1]] += now - self._last
        self._last = now

    def _busy(self) -> int:
        return self._by(*self._now())

    def _by(self, wall: int, cpu: int, waited: int) -> int:
        """As `Step.busy`: without what the thread waited for a core, but on a GPU the wall's."""
        if self._cuda:
            return wall
        return wall - waited if self.counts_waits else cpu


class _Thread(threading.local):
    clock: PartsClock | None = None


_thread = _Thread()


def keep_parts(clock: PartsClock | None) -> None:
    """Wrapped calls of this thread tell this clock from now on; with None, no clock."""
    _thread.clock = clock


def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
    """A call whose time goes to a part, in threads that have a `PartsClock`."""
    place = _PLACES[part]

    @functools.wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        clock = _thread.clock
        if clock is None or not clock.enters(place):
            return call(*args, **kwargs)
        clock.enter(place)
        try:
            return call(*args, **kwargs)
        finally:
            clock.leave()

    return wrapper


def _timed_generator(call: Callable[..., Iterator[Any]], part: str) -> Callable[..., Any]:
    def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
        following = timed(call(*args, **kwargs).__next__, part)
        while True:
            try:
                item = following()
            except StopIteration:
                return
            yield item

    return functools.wraps(call)(generator)


@contextmanager
def wrapped() -> Iterator[list[str]]:
    """Wrap all of `CALLS` and `GENERATORS` while the context lasts.

    Yields:
        The private names that this version of their library doesn't have.

    Raises:
        AttributeError: a public name is gone.
    """
    absent: list[str] = []
    undo: list[tuple[Any, str, Any]] = []
    # PyTorch puts its hooks around a class's `step` when its first optimizer is made: before ours.
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    try:
        for calls, make in ((CALLS, timed), (GENERATORS, _timed_generator)):
            for part, where, name in calls:
                try:
                    owner = pkgutil.resolve_name(where)
                    wrapper = make(getattr(owner, name), part)
                except AttributeError:
                    private = name.startswith("_") and not name.startswith("__")
                    if not private and ":_" not in where:
                        raise
                    absent.append(f"{where}.{name}")
                    continue
                undo.append((owner, name, vars(owner).get(name)))  # None: inherited
                setattr(owner, name, wrapper)
        yield absent
    finally:
        for owner, name, before in reversed(undo):
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)


def clock_cost(calls: int = 500, tries: int = 40) -> tuple[float, float]:
    """Nanoseconds that one wrapped call adds to its own part, and to the part around it.

    Args:
        calls: in one try.
        tries: of which the median is taken.
    """

    def nothing() -> None:
        pass

    clock, wrapper = PartsClock(), timed(nothing, "data")
    inside, around = [], []
    try:
        for by in (wrapper, nothing) * tries:
            keep_parts(clock)
            clock.restart()
            for _ in range(calls):
                by()
            clock.read()
            spent = clock.steps[-1].nanoseconds
            if by is wrapper:
                inside.append(spent[_PLACES["data"]] / calls)
                around.append(spent[_REST] / calls)
            else:
                around[-1] -= spent[_REST] / calls
    finally:
        keep_parts(None)
        clock.close()
    return median(inside), median(around)
