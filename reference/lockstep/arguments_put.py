"""Other arguments in the place of a call's own, wherever they stand: by name, nested or not."""

import contextlib
import copy
import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

TOP = re.compile(r"\[\d+\]|[^.\[]+")
STEP = re.compile(r"\[(\d+)\]|\.([^.\[]+)")
MISSING = object()  # in the place of an argument that isn't to be given


class CallArguments:
    """A call's arguments, to be changed.

    Args:
        module: That is called.
        args: Its positional arguments.
        kwargs: Its keywords: changed in place.
    """

    def __init__(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.args, self.kwargs = list(args), kwargs
        self._parameters: dict[str, inspect.Parameter] = {}
        with contextlib.suppress(TypeError, ValueError):  # no signature
            self._parameters = dict(inspect.signature(module.forward).parameters)
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._positional = [n for n, p in self._parameters.items() if p.kind in kinds]

    def accepts(self, name: str) -> bool:
        """Whether the call takes an argument of this name."""
        kinds = [p.kind for p in self._parameters.values()]
        return name in self._parameters or inspect.Parameter.VAR_KEYWORD in kinds

    def put(self, path: str, value: Any) -> bool:
        """Give it another value, or one that it hasn't; MISSING takes it away. Whether it could."""
        found = TOP.match(path)
        if found is None:
            return False
        name, rest = found[0], path[found.end() :]
        index = self._index(name)
        if index is not None and name not in self.kwargs and index < len(self.args):
            parameter = self._parameters.get(name)
            if parameter is not None and parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                step = STEP.match(rest)
                if step is None or step[1] is None:
                    return False
                index, rest = index + int(step[1]), rest[step.end() :]
            if value is MISSING:
                default = inspect.Parameter.empty if parameter is None else parameter.default
                if default is inspect.Parameter.empty or rest:
                    return False
                value = default
            new, done = _with(self.args[index], rest, value)
            self.args[index] = new
            return done
        if value is MISSING:
            return not rest and self.kwargs.pop(name, MISSING) is not MISSING
        if name not in self.kwargs and (rest or not self.accepts(name)):
            return False
        self.kwargs[name], done = _with(self.kwargs.get(name), rest, value)
        return done

    def _index(self, name: str) -> int | None:
        if name.startswith("["):
            return int(name[1:-1])
        if name in self._positional:
            return self._positional.index(name)
        kinds = {n: p.kind for n, p in self._parameters.items()}
        if kinds.get(name) is inspect.Parameter.VAR_POSITIONAL:
            return len(self._positional)
        return None


def _with(value: Any, path: str, new: Any) -> tuple[Any, bool]:
    """A copy of a nested value with another one at its path; and whether that could be done."""
    if not path:
        return new, True
    step = STEP.match(path)
    if step is None:
        return value, False
    key: Any = int(step[1]) if step[1] is not None else step[2]
    rest = path[step.end() :]
    if isinstance(value, list | tuple):
        if not isinstance(key, int) or key >= len(value):
            return value, False
        inner, done = _with(value[key], rest, new)
        parts = [*value[:key], inner, *value[key + 1 :]]
        if isinstance(value, list):
            return parts, done
        return (type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)), done
    if isinstance(value, Mapping):
        known = {str(k): k for k in value}
        if str(key) not in known:
            return value, False
        inner, done = _with(value[known[str(key)]], rest, new)
        changed: Any = copy.copy(value)
        changed[known[str(key)]] = inner
        return changed, done
    return value, False


class _InPlaceOf(torch.autograd.Function):
    """Another's value, with one's own gradient: exactly, where a sum of both would round."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, other: Tensor) -> Tensor:
        return other.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0], None


def in_place_of(own: Tensor, other: Tensor) -> Tensor:
    """A tensor of `other`'s values whose gradient goes to `own`."""
    if not own.requires_grad:
        return other
    result: Tensor = _InPlaceOf.apply(own, other)  # type: ignore[no-untyped-call]
    return result


def put_outputs(output: Any, values: Mapping[str, Tensor]) -> Any:
    """A pass's output with other values, by the names that `outputs_of` gives."""
    if isinstance(output, Tensor):
        return values.get("output", output)
    for path, value in values.items():
        step = path if path.startswith("[") else f".{path}"
        if isinstance(output, Mapping) and path in output:
            output[path] = value  # type: ignore[index]
        elif isinstance(output, list | tuple | Mapping):
            output, _ = _with(output, step, value)
        elif hasattr(output, path):
            setattr(output, path, value)
    return output
