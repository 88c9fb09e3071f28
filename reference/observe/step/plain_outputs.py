"""What a model gives that is no number: texts, sets and the attributes of plain objects.

They are looked into as far as none of a script's own code is run for it. What can't be read so, as
a generator, which is empty once somebody has gone through it, is named.
"""

import datetime
import decimal
import enum
import fractions
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.observe.step.tensors_in import (
    DEEPEST,
    MOST_FIELDS,
    NUMBERS,
    attributes,
    items,
    path_of,
)

# Of which Python's own `repr` tells all.
TOLD: tuple[type, ...] = (
    *(datetime.date, datetime.time, datetime.timedelta),
    *(decimal.Decimal, fractions.Fraction, pathlib.PurePath, range),
)
# What says nothing of a row among an object's attributes: a function, a class, a device.
BESIDE = (FunctionType, type, torch.dtype, torch.device, torch.nn.Module)


@dataclass
class Plain:
    """Texts by path, as bytes, and the paths and types of what can't be read."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)  # paths of those that are lists of texts
    unread: set[str] = field(default_factory=set)
    left: int = MOST_FIELDS  # values that may still be looked at

    def add(self, name: str, value: Any, depth: int = 0, *, in_object: bool = False) -> None:
        """Look into a value; of an object also into its numbers, which nobody else looks at."""
        self.left -= 1
        if value is None or isinstance(value, Tensor | np.ndarray):
            return
        if self.left < 0 or depth > DEEPEST:
            self.unread.add(_unread(name, value))
        elif type(value) in NUMBERS or isinstance(value, np.generic):
            if in_object:
                self._put(name, repr(value).encode())
        elif _is_told(value):
            self._put(name, told(value))
        elif isinstance(value, list | tuple):
            self._add_list(name, list(_parts_of(value)), depth, in_object=in_object)
        elif isinstance(value, Mapping):
            for place, (key, part) in enumerate(items(value)):
                self.add(path_of(name, key, place), part, depth + 1, in_object=in_object)
        elif type(value) in (set, frozenset) and all(map(_is_plain, value)):
            self._put(name, b" ".join(sorted(map(told, value))))
        else:
            self._add_object(name, value, depth, in_object=in_object)

    def _add_list(self, name: str, parts: list[Any], depth: int, *, in_object: bool) -> None:
        if any(map(_is_told, parts)) and all(p is None or _is_plain(p) for p in parts):
            self.texts[name] = [told(part) for part in parts]
            self.lists.add(name)
            return
        for place, part in enumerate(parts):
            if self.left < 0:
                break
            self.add(f"{name}[{place}]", part, depth + 1, in_object=in_object)

    def _add_object(self, name: str, value: Any, depth: int, *, in_object: bool) -> None:
        if isinstance(value, BESIDE):
            return
        own = {} if _is_opaque(value) else attributes(value)
        if not own:
            self.unread.add(_unread(name, value))
        for key, part in own.items():
            self.add(f"{name}.{key}" if name else key, part, depth + 1, in_object=True)

    def _put(self, name: str, text: bytes) -> None:
        self.texts[name] = [text]


def told(value: Any) -> bytes:
    """A plain value as bytes; of another type other bytes."""
    if isinstance(value, enum.Enum):
        value = f"{type(value).__name__}.{value.name}"
    text = value if isinstance(value, bytes | bytearray) else repr(value).encode(errors="replace")
    return f"{type(value).__name__} {len(text)} ".encode() + bytes(text)


def _is_told(value: Any) -> bool:
    return type(value) in (str, bytes, bytearray) or isinstance(value, (enum.Enum, *TOLD))


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in NUMBERS or isinstance(value, np.generic) or _is_told(value)


def _is_opaque(value: Any) -> bool:
    """Whether it gives its values only once, or is of a type of Python's own without attributes."""
    return hasattr(type(value), "__next__") or type(value).__module__ == "builtins"


def _parts_of(value: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    """As it is, and not as a class of a script's own may give it."""
    return list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)


def _unread(name: str, value: Any) -> str:
    return f"{name or 'output'} (of type {type(value).__name__})"
