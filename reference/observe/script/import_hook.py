"""A call when a library has been imported, by whoever imports it; nothing is imported for it.

A script may set OMP_NUM_THREADS before it imports torch, or never import it. Had the observer
imported torch first, the script would train with other threads, or wait for what it doesn't need.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class ImportHook(MetaPathFinder):
    """Calls `calls[name]()` once, right after the module `name` was run; now, if it has been.

    Args:
        calls: by the full name of a module.
    """

    def __init__(self, calls: Mapping[str, Callable[[], None]]) -> None:
        self._calls = dict(calls)
        self._searched: set[str] = set()  # by this finder itself, just now

    def install(self) -> None:
        """Begin to wait for the imports."""
        for name in [n for n in self._calls if n in sys.modules]:
            self._calls.pop(name)()
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wait no longer."""
        sys.meta_path.remove(self)

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as all others find it, with the call after its own code."""
        if name not in self._calls or name in self._searched:
            return None
        self._searched.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searched.remove(name)
        if spec is not None and spec.loader is not None:
            self._call_after(name, spec.loader)
        return spec

    def _call_after(self, name: str, loader: Any) -> None:
        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # the loader's own again
            loader.exec_module(module)
            if name in self._calls:
                self._calls.pop(name)()

        loader.exec_module = exec_module
