"""Packages that are called as the function they are named after.

    from reference import diff

    diff("runs/A", "runs/B")
    import reference.diff.ledgers

`reference.diff`, `reference.run`, `reference.compare` and `reference.explain` are rooms of this
project, and four of its public functions have the same names. Python keeps one thing under a name:
were it the function, it would become the package with the first import of a module in it. So it is
always the package, and calling that loads the function and calls it.
"""

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package with a function: loaded when it is called, or looked at as one."""

    _function: tuple[str, str]  # its module and name

    def _load(self) -> Callable[..., Any]:
        module, name = self._function
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself, for `inspect.unwrap` and whoever wants its documentation."""
        return self._load()

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._load())

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        """Pickled by name, as any function is: another process imports it."""
        return importlib.import_module, (self.__name__,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns; `__wrapped__.__doc__` says what it takes."""
        return self._load()(*args, **kwargs)


def call_as(package: str, module: str, function: str) -> None:
    """Make `package(...)` call `module.function(...)`.

    Args:
        package: The name of a package that is being imported: its `__name__`.
        module: The full name of the function's module, which isn't imported before the call.
        function: The function's name in it.
    """
    called = sys.modules[package]
    called.__class__ = CallablePackage
    called.__dict__["_function"] = (module, function)
    called.__dict__["__qualname__"] = function  # torch's launcher names what it starts by it
