"""Every model that was called, and what it holds at the end of the run, or of its own life.

A model is read as it stands then, by what its modules have, and not by the tensors that it trained
with: these may have been replaced since. None is held alive. What is held are the mappings in which
it keeps its parameters, buffers and parts, until the model is gone: then they are read, and let go.
"""

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.step.rows import padding_of
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.torch_internals import Insides, insides


@dataclass(frozen=True)
class Held:
    """One tensor of a model."""

    name: str
    tensor: Tensor
    fleeting: bool  # a checkpoint doesn't hold it


class SeenModel:
    """A model that was called.

    Attributes:
        name: Its class, and from the second of a class on its number.
        trained: Whether a step was made of a pass of it.
        part: Whether it was called as a model, and is a part of another that was.
        padding: The values that pad its inputs.
    """

    def __init__(
        self, module: torch.nn.Module, name: str, gone: Callable[["SeenModel"], None]
    ) -> None:
        self.name, self.padding = name, padding_of(module)
        self.trained = self.part = False
        self._id, self._gone = id(module), gone
        self._insides: Insides | None = insides(module)
        self._state: Record | None = None  # of one that is gone
        self._reference = weakref.ref(module, self._die)

    def is_of(self, module: torch.nn.Module) -> bool:
        """Whether this is that module."""
        return self._reference() is module

    def is_one_of(self, ids: Collection[int]) -> bool:
        """Whether it is one of the living modules of these ids: that of a dead one is another's."""
        return self._insides is not None and self._id in ids

    def state(self) -> Record:
        """What it holds: each tensor's hash, type and shape by its name, and a hash of all.

        `fleeting` has those that a checkpoint doesn't hold.
        """
        if self._state is not None or self._insides is None:
            return self._state or {}
        held = list(_held(self._insides))
        hashes = hash_tensors([each.tensor for each in held])
        kinds: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for each, hashed in zip(held, hashes, strict=True):
            kinds[each.fleeting][each.name] = f"{hashed} {_form(each.tensor)}"
        tensors, fleeting = kinds
        record: Record = {"hash": hash_of(tensors, fleeting), "tensors": tensors}
        return {**record, "fleeting": fleeting} if fleeting else record

    def mark_parts(self, others: Iterable["SeenModel"]) -> None:
        """Say of each of the others that is a part of this one that it is."""
        if self._insides is None:
            return
        parts = _modules(self._insides)
        for other in others:
            other.part = other.part or other.is_one_of(parts)

    def _die(self, _reference: object) -> None:
        """Called by Python when the module is gone; what it held isn't yet."""
        try:
            self._gone(self)
            self._state = self.state()
        except Exception as error:  # nobody can be told: this runs in a destructor
            self._state = {"hash": "", "tensors": {}, "unseen": f"{type(error).__name__}: {error}"}
        self._insides = None


def hash_of(tensors: Mapping[str, str], fleeting: Mapping[str, str]) -> str:
    """Of all that a model holds."""
    return combine(
        [f"{name} {value}" for each in (tensors, fleeting) for name, value in each.items()]
    )


def _form(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {'x'.join(map(str, tensor.shape)) or 'number'}"


def _held(inside: Insides, prefix: str = "", seen: set[int] | None = None) -> Iterator[Held]:
    seen = set() if seen is None else seen
    for name, tensor in (*inside.parameters.items(), *inside.buffers.items()):
        if tensor is not None and not tensor.is_meta and not torch.nn.parameter.is_lazy(tensor):
            yield Held(plain_name(prefix + name), tensor, name in inside.fleeting)
    for name, part in inside.parts.items():
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield from _held(insides(part), f"{prefix}{name}.", seen)


def _modules(inside: Insides) -> set[int]:
    found: set[int] = set()
    waiting = list(inside.parts.values())
    while waiting:
        part = waiting.pop()
        if part is not None and id(part) not in found:
            found.add(id(part))
            waiting += insides(part).parts.values()
    return found


class SeenModels:
    """All of them, in the order of their first calls."""

    def __init__(self) -> None:
        self._all: list[SeenModel] = []
        self._of_id: dict[int, SeenModel] = {}
        self._of_class: dict[str, int] = {}

    def see(self, module: torch.nn.Module) -> SeenModel:
        """The model that is called now."""
        known = self._of_id.get(id(module))
        if known is None or not known.is_of(module):
            kind = type(module).__name__
            count = self._of_class[kind] = self._of_class.get(kind, 0) + 1
            name = kind if count == 1 else f"{kind} {count}"
            known = SeenModel(module, name, lambda model: model.mark_parts(self._all))
            self._all.append(known)
            self._of_id[id(module)] = known
        return known

    def at_end(self) -> list[Record]:
        """What each holds, or held when it was gone; what is a part of another isn't repeated."""
        for model in self._all:
            model.mark_parts(self._all)
        whole = (model for model in self._all if not model.part)
        return [{"model": m.name, "trained": m.trained, **m.state()} for m in whole]
