"""Which call belongs to which part of a step, and a clock that keeps the parts' times apart.

    python -m benchmarks.parts

For the time of a measurement the calls that make up a loop's step are wrapped where they are
looked up: on their class, or in their module. Nothing of the loops is changed, and in a thread
without such a clock a wrapped call only calls on.
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

WAITING = "waiting for the GPU"  # at the step's end, when the host has asked for all of it
BARE_PARTS = ("forward", "backward", "clip", "optimizer", "zero", WAITING)
REST = "the rest"
PARTS = (
    *BARE_PARTS,
    "data",  # fetching and collating a batch, and moving it to the device
    "scheduler",
    "logging",  # callbacks, progress bar, the Trainer's look whether to log, save or evaluate
    "synchronisation",  # values that the host reads: the Trainer's NaN filter, `.item()`
    "counters",  # the Trainer's: samples of a batch, floating-point operations
    "mode",  # train mode, and the autocast that is off
    # Accelerate's wrappers, less what they wrap; the Trainer goes through them too. That of the
    # clip is no part: it goes through the model's parameters in PyTorch's stead.
    "Accelerate's backward",
    "Accelerate's step",
    "Accelerate's zero",
    REST,
)
MODEL = "transformers:BertForSequenceClassification"

# (part, where, name). A name of the libraries' own, with an underscore, may be another tomorrow:
# where it is gone its time is the rest's, and `wrapped` says so.
CALLS = (
    ("forward", MODEL, "__call__"),
    ("backward", "torch:Tensor", "backward"),
    ("clip", "torch.nn.utils", "clip_grad_norm_"),
    ("clip", "accelerate:Accelerator", "clip_grad_norm_"),
    ("clip", "transformers:Trainer", "_clip_grad_norm"),
    ("optimizer", "torch.optim:AdamW", "step"),
    ("zero", "torch.optim:Optimizer", "zero_grad"),
    ("zero", MODEL, "zero_grad"),
    ("data", "torch.utils.data:DataLoader", "__iter__"),
    ("data", "torch.utils.data.dataloader:_BaseDataLoaderIter", "__next__"),
    ("data", "torch:Tensor", "to"),
    ("data", "transformers:Trainer", "_prepare_inputs"),
    ("scheduler", "torch.optim.lr_scheduler:LRScheduler", "step"),
    ("scheduler", "transformers:Trainer", "_get_learning_rate"),
    ("logging", "tqdm.std:tqdm", "update"),
    ("logging", "transformers.trainer_callback:CallbackHandler", "call_event"),
    ("logging", "transformers:Trainer", "_maybe_log_save_evaluate"),
    ("synchronisation", "torch", "isnan"),
    ("synchronisation", "torch", "isinf"),
    ("synchronisation", "torch:Tensor", "__bool__"),
    ("synchronisation", "torch:Tensor", "__float__"),
    ("synchronisation", "torch:Tensor", "item"),
    ("counters", "transformers:Trainer", "floating_point_ops"),
    ("counters", "transformers:Trainer", "_get_num_items_in_batch"),
    ("counters", "transformers:Trainer", "_track_num_input_tokens"),
    ("mode", MODEL, "train"),
    ("mode", "torch:autocast", "__init__"),
    ("mode", "torch:autocast", "__enter__"),
    ("mode", "torch:autocast", "__exit__"),
    ("Accelerate's backward", "accelerate:Accelerator", "backward"),
    ("Accelerate's step", "accelerate.optimizer:AcceleratedOptimizer", "step"),
    ("Accelerate's zero", "accelerate.optimizer:AcceleratedOptimizer", "zero_grad"),
    ("scheduler", "accelerate.scheduler:AcceleratedScheduler", "step"),
)
# Generators, whose work is done when they are asked for the next one.
GENERATORS = (("data", "accelerate.data_loader:DataLoaderShard", "__iter__"),)

_PLACES = {part: place for place, part in enumerate(PARTS)}
_REST, _WAITING = _PLACES[REST], _PLACES[WAITING]
_BARE = frozenset(_PLACES[part] for part in BARE_PARTS)


@dataclass(frozen=True)
class Spent:
    """One step by parts, in the order of `PARTS`: nanoseconds, and wrapped calls."""

    nanoseconds: tuple[int, ...]
    entered: tuple[int, ...]  # calls that this part is
    left_for: tuple[int, ...]  # calls that were made out of this part


class PartsClock(Clock):
    """A clock whose step is also told by parts. Times are exclusive: of nested calls, each its own.

    What is called within forward, backward, clip, optimizer or zero belongs to it, as in the bare
    step; what no part names is the rest. On a CUDA device a part is the time that the host is in
    it, asking the device for work, and what the device then still needs is `WAITING`.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.steps: list[Spent] = []
        self._stack = [_REST]
        super().__init__(device)

    def restart(self) -> None:
        self._nanoseconds, self._entered, self._left_for = ([0] * len(PARTS) for _ in range(3))
        super().restart()
        self._last = self._began = self._by(*self._started)

    def read(self) -> Step:
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
        """Whether a call of this part is one here, and not inside of what it belongs to."""
        top = self._stack[-1]
        return top not in _BARE and top != place

    def enter(self, place: int) -> None:
        top = self._stack[-1]
        self._left_for[top] += 1
        self._entered[place] += 1
        self._account(self._busy())
        self._stack.append(place)

    def leave(self) -> None:
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
    """Wrapped calls of this thread go by this clock from now on; None: by none."""
    _thread.clock = clock


def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
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
                following_one = following()
            except StopIteration:
                return
            yield following_one

    return functools.wraps(call)(generator)


@contextmanager
def wrapped() -> Iterator[list[str]]:
    """All of `CALLS` wrapped while the context lasts; yields the names that weren't there."""
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
    """Nanoseconds that one wrapped call adds to its own part, and to the part around it."""

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
