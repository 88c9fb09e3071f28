"""Weights that a script writes: what `torch.save` and safetensors are given, whichever model's.

A model that is only made and saved (a soup of weights, a quantised copy, an average) is called by
nobody, and may be gone a moment later. Of each file the last weights are kept, as hashes. Those of
an optimizer are told by the optimizer.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.hooks.fail_safe import guarded
from reference.observe.patched_functions import patched
from reference.observe.recording import Recording
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.held_tensors import Held, held
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.tensors.two_threads import hash_buffers
from reference.observe.torch_internals import insides

Shapes = tuple[torch.Size, ...]
SAFETENSORS = "safetensors.torch"
WRITES = "serialize_file"
MOST = 64  # files
DEEPEST = 6  # levels of what is saved
OF_OPTIMIZER = frozenset({"state", "param_groups"})
NAMES = ("weight", "bias")  # with which the names of weights end


class SavedWeights:
    """Stands before the functions that write; what they are given goes into the ledger's end."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._patches: ExitStack | None = None

    def begin(self) -> None:
        """Watch `torch.save`, and safetensors where that is imported already."""
        self._patches = ExitStack()
        for owner in (torch, torch.serialization):
            self._patches.enter_context(patched(owner, "save", self._watch))
        if SAFETENSORS in sys.modules:
            self.watch_safetensors()

    def watch_safetensors(self) -> None:
        """Watch what writes there, also for those who imported `save_file` by its name."""
        module: Any = sys.modules[SAFETENSORS]
        if self._patches is not None and hasattr(module, WRITES):
            self._patches.enter_context(patched(module, WRITES, self._watch_write))

    def end(self) -> None:
        """Watch no longer."""
        if self._patches is not None:
            self._patches.close()
            self._patches = None

    def _watch(self, save: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(save)
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(("obj", "f"), args, strict=False)) | kwargs
            self._take(given.get("f"), given.get("obj"))
            return save(*args, **kwargs)

        return watched

    def _watch_write(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def watched(flat: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
            self._take(filename, _Flat(flat))
            return write(flat, filename, *args, **kwargs)

        return watched

    @guarded
    def _take(self, to: Any, what: Any) -> None:
        if self._patches is None:
            return
        saved = self.recording.saved
        path = os.fspath(to) if isinstance(to, str | os.PathLike) else None
        name = "" if path is None else os.path.basename(os.fsdecode(path))
        record: Record = {"name": name, "tensors": {}}
        shapes = self.recording.seen.shapes_trained()
        try:
            if isinstance(what, _Flat):
                record["tensors"] = what.described()
            else:
                record["tensors"] = _described(dict(_weights(what, "", 0, shapes)))
            if not record["tensors"]:
                return
        except Exception as error:  # whatever a script saves; the rest is recorded all the same
            record["unseen"] = f"{type(error).__name__}: {error}"
        record["hash"] = combine([f"{n} {value}" for n, value in record["tensors"].items()])
        key = f"{len(saved)} in memory" if path is None else os.path.abspath(os.fsdecode(path))
        saved.pop(key, None)
        saved[key] = record
        if len(saved) > MOST:
            saved.pop(next(iter(saved)))


class _Flat:
    """What safetensors writes: of each tensor type, shape, and its bytes or where they lie."""

    def __init__(self, flat: Mapping[str, Any]) -> None:
        self._flat = flat

    def described(self) -> dict[str, str]:
        """As of a model that holds it."""
        hashes = hash_buffers([self._bytes(each) for each in self._flat.values()])
        forms = map(self._form, self._flat.values())
        triples = zip(self._flat, hashes, forms, strict=True)
        return {plain_name(name): f"{hashed} {form}" for name, hashed, form in triples}

    def _bytes(self, each: Any) -> memoryview:
        if isinstance(each, Mapping):  # in older releases
            return memoryview(each["data"])
        memory: Any = (ctypes.c_ubyte * each.data_len).from_address(each.data_ptr)
        return memoryview(memory) if each.data_len else memoryview(b"")

    def _form(self, each: Any) -> str:
        kind, shape = (
            (each["dtype"], each["shape"])
            if isinstance(each, Mapping)
            else (each.dtype, each.shape)
        )
        return f"{kind} {'x'.join(map(str, shape)) or 'number'}"


def _weights(
    what: Any, prefix: str, depth: int, shapes: Collection[Shapes]
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of models in what is saved, by their names in it.

    A mapping is one of a model if torch made it of one, or if its names are those of weights; of
    other tensors (what was predicted, losses) nothing is said. A list is one that has the shapes of
    a model that trains (`shapes`), in its order.
    """
    if isinstance(what, torch.nn.Module):
        for each in held(insides(what)):
            if not each.fleeting:
                yield prefix + each.name, each.tensor
    elif isinstance(what, dict) and not what.keys() >= OF_OPTIMIZER and depth < DEEPEST:
        tensors = {str(n): t for n, t in what.items() if isinstance(t, Tensor) and not t.is_meta}
        if hasattr(what, "_metadata") or any(n.endswith(NAMES) for n in tensors):
            for name, tensor in tensors.items():
                yield prefix + plain_name(name), tensor
        for name, inner in what.items():
            if not isinstance(inner, Tensor):
                yield from _weights(inner, f"{prefix}{name}.", depth + 1, shapes)
    elif isinstance(what, list | tuple) and shapes_of(what) in shapes:
        for place, tensor in enumerate(what):
            yield f"{prefix}{place}", tensor


def shapes_of(what: Sequence[Any]) -> tuple[torch.Size, ...]:
    """Of tensors; nothing where there is anything else."""
    tensors = [each for each in what if isinstance(each, Tensor)]
    return tuple(t.shape for t in tensors) if len(tensors) == len(what) else ()


def _described(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    hashes = hash_tensors(tensors.values())
    return {
        name: f"{hashed} {Held(name, tensor, False).form}"
        for (name, tensor), hashed in zip(tensors.items(), hashes, strict=True)
    }
