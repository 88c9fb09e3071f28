"""The tensors in a call's arguments or outputs, by name."""

import contextlib
from collections import OrderedDict, UserDict
from collections.abc import Iterable, Iterator, Mapping
from types import MemberDescriptorType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.observe.tensors.shards import local_parts
from reference.observe.torch_internals import with_tangents

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
NUMBERS = frozenset({bool, int, float, complex})
MOST_FIELDS = 10_000  # looked through in one call's arguments, or outputs
DEEPEST = 4  # levels of nesting that are looked into


def tensors_in(name: str, value: Any) -> dict[str, Tensor]:
    """The tensors in nested mappings, sequences and plain objects, by path.

    Args:
        name: of the value, with which each path begins.
        value: anything that a model takes or gives.

    Raises:
        TypeError: for a mapping that may make its values anew, and for what is too large to be
            looked through at every step.
    """
    tensors: dict[str, Tensor] = {}
    waiting, looked_at = [(name, value, 0)], 0
    while waiting:
        path, part, depth = waiting.pop()
        if isinstance(part, Tensor):
            tensors[path] = part
        elif depth <= DEEPEST and type(part) not in PLAIN:
            inner = _fields(path, part)
            looked_at += len(inner)
            if looked_at > MOST_FIELDS:
                raise TypeError(f"more than {MOST_FIELDS} fields to look for tensors in")
            waiting += [(n, v, depth + 1) for n, v in reversed(inner)]
    return tensors


def numbers_in(output: Any, name: str = "output") -> dict[str, Tensor]:
    """What a model gives of numbers, by path: tensors, arrays, and lists of plain numbers.

    Args:
        output: anything that a model gives.
        name: what it is called where it is a tensor by itself.

    Raises:
        TypeError: as `tensors_in`.
    """
    tensors = local_parts(with_tangents(tensors_in("", output)))
    return {path or name: t for path, t in {**tensors, **arrays_in("", output)}.items()}


def arrays_in(name: str, value: Any) -> dict[str, Tensor]:
    """The arrays, and the plain numbers, in nested mappings and lists, by path."""
    return dict(_arrays_in(name, value, 0))


def _arrays_in(name: str, value: Any, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Those that are no tensors; looked for in mappings and lists only."""
    if isinstance(value, np.ndarray) or _is_number(value):
        yield from _array(name, value)
    elif isinstance(value, list | tuple) and depth <= DEEPEST:
        parts = _parts(value)
        # Only of plain numbers: an array of anything else is made by a script's own code, as by a
        # tensor's `__array__`, after which the script couldn't resize its tensor any more.
        if parts and _holds_numbers(parts):
            with contextlib.suppress(ValueError):  # rows of several lengths
                yield from _array(name, _plain(parts))
                return
        for place, part in enumerate(parts):
            yield from _arrays_in(f"{name}[{place}]", part, depth + 1)
    elif isinstance(value, dict | UserDict) and depth <= DEEPEST:
        for place, (key, part) in enumerate(items(value)):
            yield from _arrays_in(path_of(name, key, place), part, depth + 1)


def _array(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    array = np.asarray(value)
    if array.dtype.kind in "biufc":
        yield name, torch.from_numpy(np.array(array))


def _is_number(value: Any) -> bool:
    return type(value) in NUMBERS or isinstance(value, np.generic)


def _holds_numbers(parts: list[Any], depth: int = 0) -> bool:
    """Whether these are plain numbers, or lists of them."""
    return all(
        _is_number(part)
        or (
            isinstance(part, list | tuple)
            and depth < DEEPEST
            and _holds_numbers(_parts(part), depth + 1)
        )
        for part in parts
    )


def _plain(parts: list[Any]) -> list[Any]:
    """The same in lists of Python's own."""
    return [_plain(_parts(p)) if isinstance(p, list | tuple) else p for p in parts]


def _fields(name: str, value: Any) -> list[tuple[str, Any]]:
    """The parts of a value that may hold tensors, by path. Runs none of a script's own code."""
    if isinstance(value, Mapping):
        held = enumerate(items(value))
        return [(path_of(name, k, i), v) for i, (k, v) in held if type(v) not in PLAIN]
    if isinstance(value, list | tuple):
        return [(f"{name}[{i}]", v) for i, v in _not_plain(enumerate(_parts(value)))]
    if isinstance(value, (type, torch.nn.Module)):
        return []
    own = attributes(value).items()
    return [(f"{name}.{k}" if name else k, v) for k, v in _not_plain(own)]


def items(value: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """What a mapping holds. Its class may have an `items` of its own, which isn't called."""
    held = value.__dict__.get("data") if isinstance(value, UserDict) else value
    if isinstance(held, OrderedDict):  # which has an order of its own, too
        return OrderedDict.items(held)
    if isinstance(held, dict):
        return dict.items(held)
    raise TypeError(f"{type(value).__name__} is a mapping whose values may be made anew")


def _parts(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    """What a list or tuple holds. Its class may have an `__iter__` of its own."""
    parts = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
    return [*parts]


def path_of(name: str, key: Any, place: int) -> str:
    """The path of what a mapping has under a key; by its place where the key is no plain value.

    An object's text may hold where it lies in memory, and is a script's own code.
    """
    plain = type(key) in PLAIN or (type(key) is tuple and all(type(k) in PLAIN for k in key))
    if not plain:
        return f"{name}[{place}]"
    return f"{name}.{key}" if name else str(key)


def _not_plain(fields: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Without plain values, of which there may be many."""
    return [(key, value) for key, value in fields if type(value) not in PLAIN]


def attributes(value: Any) -> dict[str, Any]:
    """An object's own attributes, in its dictionary and in its slots."""
    own = dict(value.__dict__) if type(value).__dictoffset__ else {}
    for kind in type(value).__mro__:
        for slot, member in vars(kind).items():
            if isinstance(member, MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # not set
                    own.setdefault(slot, member.__get__(value, kind))
    return own
