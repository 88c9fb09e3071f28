"""What a model keeps beside its weights: the running means of a BatchNorm, say.

They go into the links `weights` and `update`, where a model has any. Only those that a checkpoint
would hold: what a module makes anew each time (positions, masks) is no state of a training.
"""

import weakref
from collections.abc import Collection, Iterable, Mapping
from itertools import count

import torch

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.torch_internals import persistent_buffers

# What stands before a module's buffers' names, and the module.
State = tuple[str, "weakref.ref[torch.nn.Module]"]


def modules_with_state(module: torch.nn.Module, prefix: str) -> list[State]:
    """The modules in it that keep persistent buffers, and what stands before these names."""
    return [
        (prefix + plain_name(f"{name}." if name else ""), weakref.ref(part))
        for name, part in module.named_modules()
        if persistent_buffers(part)
    ]


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or else with a number: a wrapper's own buffer may be called as one within."""
    numbered = (f"{name} ({number})" for number in count(2))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def find_buffers(states: Iterable[State]) -> dict[str, torch.Tensor]:
    """The buffers of the modules that are still there, each once, by name."""
    buffers: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for prefix, reference in states:
        module = reference()
        if module is None or id(module) in seen:
            continue
        seen.add(id(module))
        for name, tensor in persistent_buffers(module).items():
            if tensor is not None:
                buffers[_free(prefix + name, buffers)] = tensor
    return buffers


def describe_buffers(buffers: Mapping[str, torch.Tensor]) -> Record | None:
    """One hash of all, and each one's by its name; None where there are none."""
    if not buffers:
        return None
    hashes = hash_tensors(buffers.values())
    # In no order: a model of which a part was seen first has its modules in another one.
    return {"hash": combine(sorted(hashes)), "tensors": dict(zip(buffers, hashes, strict=True))}
