"""Loaders that are begun: a set of rows of an evaluation begins with one."""

from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader

from reference.observe.patched_functions import patched
from reference.observe.recording import Recording


class Loaders:
    """Stands before `DataLoader.__iter__`, and counts its calls."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._patch: Any = None

    def begin(self) -> None:
        """Count from now on."""
        self._patch = patched(DataLoader, "__iter__", self._count)
        self._patch.__enter__()

    def end(self) -> None:
        """Count no longer."""
        if self._patch is not None:
            self._patch.__exit__(None, None, None)
            self._patch = None

    def _count(self, begin: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(loader: Any) -> Any:
            self.recording.loaders_begun += 1
            return begin(loader)

        return counted
