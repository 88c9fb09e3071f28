"""What a module has by now: its parts, and all their parameters and buffers."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reference.observe.tensors.parameter_names import plain_name
from reference.observe.tensors.shards import placement_of
from reference.observe.torch_internals import Insides, insides


@dataclass(frozen=True)
class Held:
    """One tensor of a module, or of a part of it."""

    name: str
    tensor: Tensor
    fleeting: bool  # a checkpoint doesn't hold it

    @property
    def form(self) -> str:
        """Its type and shape."""
        kind = str(self.tensor.dtype).removeprefix("torch.")
        placement = placement_of(self.tensor)
        shape = "x".join(map(str, self.tensor.shape)) or "number"
        return f"{kind} {shape}" + (f", {placement}" if placement else "")


def held(inside: Insides, prefix: str = "", seen: set[int] | None = None) -> Iterator[Held]:
    """All parameters and buffers, each part's once; none that has no shape yet."""
    seen = set() if seen is None else seen
    for name, tensor in (*inside.parameters.items(), *inside.buffers.items()):
        if tensor is not None and not torch.nn.parameter.is_lazy(tensor):
            yield Held(plain_name(prefix + name), tensor, name in inside.fleeting)
    for name, part in inside.parts.items():
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield from held(insides(part), f"{prefix}{name}.", seen)


def classes_of_parts(module: Insides) -> dict[str, str]:
    """The classes of all modules within one, by name."""
    found: dict[str, str] = {}
    waiting = [("", module)]
    seen: set[int] = set()
    while waiting:
        prefix, inside = waiting.pop(0)
        for name, part in inside.parts.items():
            if part is not None and id(part) not in seen:
                seen.add(id(part))
                found[plain_name(prefix + name)] = type(part).__name__
                waiting.append((f"{prefix}{name}.", insides(part)))
    return found


def ids_of_parts(inside: Insides) -> set[int]:
    """The ids of all modules within."""
    found: set[int] = set()
    waiting = list(inside.parts.values())
    while waiting:
        part = waiting.pop()
        if part is not None and id(part) not in found:
            found.add(id(part))
            waiting += insides(part).parts.values()
    return found


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """What a wrapper wraps: the only part of a module that has nothing of its own to train."""
    inside = insides(module)
    parts = [part for part in inside.parts.values() if part is not None]
    wraps = len(parts) == 1 and all(p is None for p in inside.parameters.values())
    return unwrapped(parts[0]) if wraps else module
