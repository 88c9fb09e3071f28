"""What a class takes where it isn't told otherwise: the defaults of its constructor."""

import inspect
from types import FunctionType
from typing import Any


def defaults_of(kind: type) -> dict[str, Any]:
    """By name the defaults of a class's own `__init__`; none where that is no plain function."""
    init = inspect.getattr_static(kind, "__init__", None)
    if not isinstance(init, FunctionType):
        return {}
    try:
        parameters = inspect.signature(init).parameters
    except (TypeError, ValueError):  # a decorator put something else in its place
        return {}
    return {
        name: each.default
        for name, each in parameters.items()
        if each.default is not inspect.Parameter.empty
    }
