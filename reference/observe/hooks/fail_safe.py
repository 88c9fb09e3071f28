"""Observing never ends a training: what goes wrong in a hook ends the record, with its reason.

Used by `reference.observe.observer`; see `python -m reference observe SCRIPT`.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from reference.ledger.record import Record, Sink
from reference.messages import say

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Careful:
    """What hooks need to fail safely: `lost` says why nothing more is recorded."""

    def __init__(self, sink: Sink) -> None:
        self.lost = ""
        self._sink = sink
        self._let_through: BaseException | None = None

    def write(self, record: Record) -> None:
        """One record. What the sink raises is meant for the training: a full disk, or an end."""
        try:
            self._sink.write(record)
        except BaseException as error:
            self._let_through = error
            raise

    def stop(self, error: BaseException) -> None:
        """Raise an error of the training's own out of a hook."""
        self._let_through = error
        raise error

    def let_through(self, error: Exception) -> None:
        """Raise it again if it is meant for the training."""
        if error is self._let_through:
            raise error

    def failed(self, error: Exception) -> None:
        """A hook failed; raises what must reach the training, and else says it once."""
        self.let_through(error)
        self.lost = reason(error)
        say(f"observing stopped ({self.lost}); the training goes on, and its ledger ends here")


def reason(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def guarded(hook: Hook) -> Hook:
    """A method of one that has `careful`, as a hook: does nothing any more once that failed."""

    @functools.wraps(hook)
    def safe(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or self.careful.lost:
            return None  # what is compiled calls no hooks, and the model as a whole does
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            self.careful.failed(error)
            return None

    return safe  # type: ignore[return-value]
