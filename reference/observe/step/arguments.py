"""What a module's `forward` is given: tensors, and beside them numbers, flags and texts, by name.

An argument with its default value is one that isn't given: whoever writes `use_cache=None` asks for
nothing else than whoever leaves it out.
"""

import inspect
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.describe import number
from reference.observe.step.tensors_in import PLAIN, arrays_in, tensors_in
from reference.observe.tensors.shards import local_parts
from reference.observe.torch_internals import with_tangents

MOST = 16  # plain arguments of one call that are kept
FEW = 4  # values in a list or mapping that are kept each; of more, their number and a hash
MOST_VALUES = 256  # that are hashed; of more, their number alone
LONGEST = 40  # characters of a text that are kept; of a longer one its beginning, and a hash
DEEPEST = 2  # levels of nesting that are looked into


@dataclass(frozen=True)
class Arguments:
    """What one call was given.

    Attributes:
        tensors: By name, nested ones as `outer.inner`.
        plain: Numbers, flags and texts, by name. Of tensors those of a single number.
        values: All as they were given, by the names of `forward`'s parameters.
    """

    tensors: dict[str, Tensor]
    plain: Record
    values: Mapping[str, Any]


def arguments_of(
    module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Arguments:
    """The arguments of a call, by the names of `forward`'s parameters.

    `model(x)` and `model(x=x)` are the same call. Of a tensor that processes share it is this
    one's part.

    Raises:
        TypeError: As `tensors_in`; and for a single number that has no value (a tensor on `meta`).
    """
    given, defaults = bound_arguments(module, args, kwargs)
    tensors: dict[str, Tensor] = {}
    for name, value in given.items():
        tensors.update(tensors_in(name, value))
    tensors = local_parts(with_tangents(tensors))
    plain = {name: _number(t) for name, t in tensors.items() if t.dim() == 0}
    for name, value in given.items():
        if not _is_default(value, defaults.get(name)):
            plain.update(_plain_in(name, value))
    return Arguments(tensors, {name: plain[name] for name in sorted(plain)[:MOST]}, given)


def numbers_in_arguments(given: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays and lists of numbers among a call's arguments, as tensors: labels, for example.

    Not what is one number: it is none of the rows, and stands among the plain arguments.
    """
    arrays = (arrays_in(name, value) for name, value in given.items())
    return {path: t for each in arrays for path, t in each.items() if t.dim() > 0}


def bound_arguments(
    module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A call's arguments by the names of `forward`'s parameters, as far as these tell.

    Returns:
        What was given; and the defaults of all that have one.
    """
    try:
        signature = _signature(module.forward)
        bound: dict[str, Any] = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # no signature, or a wrapper's that takes anything
        return {**{f"[{i}]": a for i, a in enumerate(args)}, **kwargs}, {}
    parameters = signature.parameters
    for name in [n for n in bound if parameters[n].kind is inspect.Parameter.VAR_KEYWORD]:
        rest = bound.pop(name)
        bound = {**bound, **rest}
    return bound, {n: p.default for n, p in parameters.items() if p.default is not p.empty}


def takes(module: torch.nn.Module, name: str) -> bool:
    """Whether its `forward` has a parameter of this name."""
    try:
        return name in _signature(module.forward).parameters
    except (TypeError, ValueError):
        return False


_of_function: "weakref.WeakKeyDictionary[FunctionType, inspect.Signature]" = (
    weakref.WeakKeyDictionary()
)


def _signature(forward: Any) -> inspect.Signature:
    """That of a module's `forward`, worked out once for each function that is one.

    Raises:
        TypeError: It has none.
        ValueError: The same, of what isn't written in Python.
    """
    function = forward.__func__ if type(forward) is MethodType else None
    if type(function) is not FunctionType:
        return inspect.signature(forward)  # a script's own callable: it may change
    known = _of_function.get(function)
    if known is None:
        known = _of_function[function] = inspect.signature(forward)
    return known


def _is_default(value: Any, default: Any) -> bool:
    """Whether it is as if the argument weren't given; None is, where no default is known."""
    return value is default or (
        type(value) is type(default) and type(value) in PLAIN and bool(value == default)
    )


def _plain_in(name: str, value: Any) -> Record:
    """The plain values in an argument, by path."""
    found = list(islice(_values(name, value, 0), MOST_VALUES + 1))
    if len(found) <= FEW:
        return {path: short(each) for path, each in found}
    if len(found) > MOST_VALUES:
        return {name: f"more than {MOST_VALUES} values"}
    return {name: f"{len(found)} values, {_hash(repr(found))}"}


def _values(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if type(value) in PLAIN or isinstance(value, np.generic | torch.dtype | torch.device):
        yield name, value
    elif type(value) in (list, tuple, dict) and depth < DEEPEST:
        fields = value.items() if type(value) is dict else enumerate(value)
        for place, (key, part) in enumerate(fields):
            by_name = type(value) is dict and type(key) in PLAIN
            path = f"{name}.{short(key)}" if by_name else f"{name}[{place}]"
            yield from _values(path, part, depth + 1)


def short(value: Any) -> Any:
    """A plain value as JSON has it, and bounded."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        if abs(value) < 1 << 64:
            return value
        value = hex(value)  # decimal digits of a huge one are refused by Python
    text = str(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({len(text)} characters, {_hash(text)})"


def _hash(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode(errors="replace"))


def _number(tensor: Tensor) -> Any:
    """The value of a tensor of one."""
    if tensor.is_meta:
        raise TypeError("a tensor without values can't be read")
    return short(tensor.detach().item())
