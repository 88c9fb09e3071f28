"""Learning rate schedulers of the optimizers that step: how often each was stepped.

No hook tells of a scheduler, so they are looked for among all that Python has alive, where models
that nobody calls are looked for (`tensors/uncalled_models.py`). From then on only a count is read.
"""

import functools
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reference.ledger.record import Record
from reference.observe.step.arguments import short

# What a scheduler is made for: attributes of torch's own, and arguments of a function as
# `transformers.get_scheduler` makes it.
LENGTHS = ("T_max", "total_iters", "total_steps", "num_training_steps", "num_warmup_steps")
INNER = "_schedulers"  # of one that is made of others


@dataclass(frozen=True)
class Count:
    """How often a scheduler was stepped when its optimizer stepped.

    Attributes:
        scheduler: The scheduler, until the step is written: one of a function that is over would be
            gone by then, with what it was stepped last.
        kind: Its class.
        at_step: The count.
        lengths: What it is made for, by name; nothing where an earlier step has that.
    """

    scheduler: LRScheduler
    kind: str
    at_step: int
    lengths: Record

    def record(self) -> Record:
        """With the count by now, when the step is over."""
        now = _count(self.scheduler)
        by_now = {} if now is None else {"next": now}
        return {"class": self.kind, "count": self.at_step, **by_now, **self.lengths}


class Schedulers:
    """Those that were found. By itself this holds none of them alive."""

    def __init__(self) -> None:
        self._known: list[weakref.ref[LRScheduler]] = []
        self._told: list[weakref.ref[LRScheduler]] = []  # whose lengths a step has

    def take(self, schedulers: Iterable[LRScheduler]) -> None:
        """Take note of those that are alive, but for the parts of others."""
        alive = list(schedulers)
        inner = {id(each) for one in alive for each in vars(one).get(INNER, ())}
        self._known = [weakref.ref(one) for one in alive if id(one) not in inner]

    def counts(self, optimizer: Optimizer) -> list[Count]:
        """Those of this optimizer, as they stand now."""
        found = ((reference, reference()) for reference in self._known)
        return [
            Count(one, type(one).__name__, count, self._lengths(reference, one))
            for reference, one in found
            if one is not None
            and vars(one).get("optimizer") is optimizer
            and (count := _count(one)) is not None
        ]

    def _lengths(self, reference: "weakref.ref[LRScheduler]", scheduler: LRScheduler) -> Record:
        if reference in self._told:
            return {}
        self._told.append(reference)
        lengths = _lengths(scheduler)
        return {"lengths": lengths} if lengths else {}


def _count(scheduler: LRScheduler) -> int | None:
    count = vars(scheduler).get("last_epoch")
    return count if type(count) is int else None


def _lengths(scheduler: LRScheduler) -> dict[str, Any]:
    own = vars(scheduler)
    given: dict[str, Any] = {}
    for function in own.get("lr_lambdas") or ():
        if isinstance(function, functools.partial):
            given.update(function.keywords)
    both = {**given, **own}
    return {n: short(both[n]) for n in LENGTHS if type(both.get(n)) in (int, float)}
