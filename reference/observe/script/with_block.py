"""`observing` as its users have it: for a `with`, and in words where nobody has entered it.

with observing("runs/mine") as observer:
    train()
"""

import functools
from collections.abc import Collection
from contextlib import AbstractContextManager, ContextDecorator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from reference.observe.script import observation

if TYPE_CHECKING:  # it imports torch
    from reference.observe.observer import Observer


class Observing(ContextDecorator, AbstractContextManager["Observer"]):
    """What `observing` gives: nothing is observed before its `with`.

    Args:
        run_dir: as `observing` takes it.
        inside: as `observing` takes it.
    """

    def __init__(self, run_dir: str | Path, inside: Collection[int]) -> None:
        self._run_dir, self._inside = run_dir, inside

    def __repr__(self) -> str:
        return f"<observing into {self._run_dir}: begins with `with`, and ends with it>"

    def __enter__(self) -> "Observer":
        self._entered = observation.observing(self._run_dir, inside=self._inside)
        return self._entered.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._entered.__exit__(kind, error, traceback)


@functools.wraps(observation.observing)
def observing(run_dir: str | Path, *, inside: Collection[int] = ()) -> Observing:
    """As `observation.observing`, which says what it takes."""
    return Observing(run_dir, inside)
