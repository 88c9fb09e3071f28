"""Weights that a script writes: what `torch.save` and safetensors are given, whichever model's.

A model that is only made and saved (a soup of weights, a quantised copy, an average) is called by
nobody, and may be gone a moment later. Of each file the last weights are kept, as hashes. Those of
an optimizer are told by the optimizer.
"""

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
from reference.observe.torch_internals import insides

Shapes = tuple[torch.Size, ...]
SAFETENSORS = "safetensors.torch"
FLATTENS, WRITES = "_flatten_as_ptr", "serialize_file"
MOST = 64  # files
DEEPEST = 6  # levels of what is saved
OF_OPTIMIZER = frozenset({"state", "param_groups"})
NAMES = ("weight", "bias")  # with which the names of weights end


class SavedWeights:
    """Stands before the functions that write; what they are given goes into the ledger's end."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._patches: ExitStack | None = None
        self._flattened: Mapping[str, Any] = {}

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
        if self._patches is not None and hasattr(module, FLATTENS):
            for name, watch in ((FLATTENS, self._watch_flatten), (WRITES, self._watch_write)):
                self._patches.enter_context(patched(module, name, watch))

    def end(self) -> None:
        """Watch no longer."""
        if self._patches is not None:
            self._patches.close()
            self._patches = None

    def _watch(self, save: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(save)
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(("obj", "f"), args, strict=False)) | kwargs
            self._take(given.get("f"), given.get("obj"), False)
            return save(*args, **kwargs)

        return watched

    def _watch_flatten(self, flatten: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(flatten)
        def watched(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            self._flattened = tensors
            return flatten(tensors, *args, **kwargs)

        return watched

    def _watch_write(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def watched(flat: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
            tensors, self._flattened = self._flattened, {}
            self._take(filename, tensors, True)
            return write(flat, filename, *args, **kwargs)

        return watched

    @guarded
    def _take(self, to: Any, what: Any, are_weights: bool) -> None:
        if self._patches is None:
            return
        saved = self.recording.saved
        path = os.fspath(to) if isinstance(to, str | os.PathLike) else None
        name = "" if path is None else os.path.basename(os.fsdecode(path))
        record: Record = {"name": name, "tensors": {}}
        shapes = self.recording.seen.shapes_trained()
        try:
            record["tensors"] = _described(dict(_weights(what, "", 0, are_weights, shapes)))
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


def _weights(
    what: Any, prefix: str, depth: int, are_weights: bool, shapes: Collection[Shapes]
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
    elif isinstance(what, Mapping) and not what.keys() >= OF_OPTIMIZER and depth < DEEPEST:
        tensors = {str(n): t for n, t in what.items() if isinstance(t, Tensor) and not t.is_meta}
        if are_weights or hasattr(what, "_metadata") or any(n.endswith(NAMES) for n in tensors):
            for name, tensor in tensors.items():
                yield prefix + plain_name(name), tensor
        for name, inner in what.items():
            if not isinstance(inner, Tensor):
                yield from _weights(inner, f"{prefix}{name}.", depth + 1, are_weights, shapes)
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
