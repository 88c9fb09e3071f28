"""Observing never ends a training: what goes wrong in a hook ends the record, with its reason."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from reference.ledger.record import Record, Sink
from reference.messages import say
from reference.observe.torch_internals import has_modes, without_modes

Hook = TypeVar("Hook", bound=Callable[..., Any])


class FailSafe:
    """Tells errors of the observer's own, which end the ledger, from those that the training gets.

    Args:
        sink: takes the records. What it raises reaches the training.

    Attributes:
        lost: why nothing more is recorded; empty as long as all is well.
        when_lost: called then, once each: whoever holds tensors of the training lets them go. A
            training goes on, perhaps for days, with no more memory than it needs itself.
    """

    def __init__(self, sink: Sink) -> None:
        self.lost = ""
        self.when_lost: list[Callable[[], None]] = []
        self._sink = sink
        self._of_the_training: BaseException | None = None

    def write(self, record: Record) -> None:
        """Write one record. What the sink raises is meant for the training: a full disk, an end."""
        try:
            self._sink.write(record)
        except BaseException as error:
            self._of_the_training = error
            raise

    def stop(self, error: BaseException) -> None:
        """Raise `error` out of a hook, into the training."""
        self._of_the_training = error
        raise error

    def let_through(self, error: Exception) -> None:
        """Raise `error` again if it is meant for the training."""
        if error is self._of_the_training:
            raise error

    def failed(self, error: Exception) -> None:
        """End the record because a hook raised `error`, and say so; or let the error through."""
        self.let_through(error)
        self.lose(reason(error))
        say(f"observing stopped ({self.lost}); the training goes on, and its ledger ends here")

    def lose(self, why: str) -> None:
        """Record nothing more, and hold nothing of the training; the first reason stands."""
        self.lost = self.lost or why
        while self.when_lost:
            self.when_lost.pop()()


def reason(error: BaseException) -> str:
    """An error's class and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def guarded(hook: Hook) -> Hook:
    """Make a method safe to be called by torch: an error in it ends the record.

    The method's object has a `recording`. Once that is lost, the method does nothing any more.
    """

    @functools.wraps(hook)
    def safe(self: Any, *args: Any, **kwargs: Any) -> Any:
        fail_safe: FailSafe = self.recording.fail_safe
        if torch.compiler.is_compiling() or fail_safe.lost:
            return None  # compiled code calls no hooks: the call of the whole model does
        try:
            if not has_modes():
                return hook(self, *args, **kwargs)
            with without_modes():
                return hook(self, *args, **kwargs)
        except Exception as error:
            fail_safe.failed(error)
            return None

    return safe  # type: ignore[return-value]
