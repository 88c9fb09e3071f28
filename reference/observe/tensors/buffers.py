"""What a model keeps beside its weights: the running means of a BatchNorm, say.

They go into the links `weights` and `update`, where a model has any. Only those that a checkpoint
would hold: what a module makes anew each time (positions, masks) is no state of a training.
"""

import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count

import torch

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.parameter_names import plain_name

# What stands before a module's buffers' names, and the module.
State = tuple[str, "weakref.ref[torch.nn.Module]"]


def modules_with_state(module: torch.nn.Module, prefix: str) -> list[State]:
    """The modules in it that keep persistent buffers, and what stands before these names."""
    return [
        (prefix + plain_name(f"{name}." if name else ""), weakref.ref(one))
        for name, one in module.named_modules()
        if set(one._buffers) - one._non_persistent_buffers_set
    ]


def _buffers(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in module._buffers.items():
        if tensor is not None and name not in module._non_persistent_buffers_set:
            yield name, tensor


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or else with a number: a wrapper's own buffer may be called as one within."""
    numbered = (f"{name} ({number})" for number in count(2))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def find_buffers(states: Iterable[State]) -> dict[str, torch.Tensor]:
    """The buffers of the modules that are still there, each once, by name."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for prefix, reference in states:
        module = reference()
        if module is not None and id(module) not in seen:
            seen.add(id(module))
            for name, tensor in _buffers(module):
                found[_free(prefix + name, found)] = tensor
    return found


def describe_buffers(found: Mapping[str, torch.Tensor]) -> Record | None:
    """One hash of all, and each one's by its name; None where there are none."""
    if not found:
        return None
    hashes = hash_tensors(found.values())
    # In no order: a model of which a part was seen first has its modules in another one.
    return {"hash": combine(sorted(hashes)), "tensors": dict(zip(found, hashes, strict=True))}
