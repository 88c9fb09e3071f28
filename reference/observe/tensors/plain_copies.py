"""Copies of a model's weights in plain tensors or arrays, in a list or in a mapping by name.

Nothing tells when such a list changes or goes, and to hold it would keep it alive. So what it has
is written down whenever models are looked for that nobody calls, and at the end.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.tensors.forms import Form, addresses_in, is_copy, is_dense
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.held_tensors import Held

NAME = "weights (a copy in plain tensors{})"
KINDS = frozenset({list, tuple, deque, dict, OrderedDict, defaultdict})
VALUES = frozenset({Tensor, torch.nn.Parameter, np.ndarray})
DTYPES = {"<f4": torch.float32, "<f8": torch.float64, "<f2": torch.float16, "<i8": torch.int64}
MOST_BESIDE = 16  # things that may stand beside the tensors
MOST = 16  # copies that are kept at one time


class PlainCopies:
    """Those of a run so far."""

    def __init__(self) -> None:
        self._first: set[str] = set()  # hashes of those that were there in the first step
        self._records: list[Record] = []

    def look(
        self,
        things: Sequence[Any],
        forms: Sequence[Form],
        modules: Collection[torch.nn.Module],
        step: int | None,
    ) -> None:
        """Write down what there is.

        Args:
            things: Lists and mappings that are alive.
            forms: Of the models that train.
            modules: All that are alive: what lies where their tensors lie is no copy.
            step: The step; None at the end.
        """
        records = _records(things, forms, modules, step)
        if step == 1:
            self._first = {str(record["hash"]) for record in records}
        self._records += [r for r in records if r["hash"] not in self._first][:MOST]

    def at_end(self) -> list[Record]:
        """What there is at the end, and then what there was on the way."""
        return sorted(self._records, key=lambda record: "step" in record)


def is_kept_in(kind: type, thing: Any, lengths: range) -> bool:
    """Whether it is a list or mapping of about so many things, with tensors or arrays among them.

    All of it in C: a script has a hundred thousand lists and mappings, and perhaps other threads.
    """
    if kind not in KINDS or len(thing) not in lengths:
        return False
    values = thing.values() if issubclass(kind, dict) else thing
    return not VALUES.isdisjoint(map(type, values))


def lengths_of(forms: Iterable[Form]) -> range:
    """Of what may hold a copy: a count or a rate may stand beside the tensors."""
    counts = [len(form.tensors) for form in forms]
    return range(min(counts), max(counts) + MOST_BESIDE + 1) if counts else range(0)


def _records(
    things: Sequence[Any],
    forms: Sequence[Form],
    modules: Collection[torch.nn.Module],
    step: int | None,
) -> list[Record]:
    counts = {len(form.tensors) for form in forms}
    held = [tensors for thing in things if (tensors := _tensors(thing, counts))]
    if not held:
        return []
    others = addresses_in(modules)
    copies = [
        tensors
        for tensors in held
        if others.isdisjoint(t.data_ptr() for t in tensors) and is_copy(tensors, forms)
    ]
    records = {str(record["hash"]): record for record in (_record(c, step) for c in copies)}
    return [records[hashed] for hashed in sorted(records)]


def _tensors(thing: Any, counts: Collection[int]) -> list[Tensor]:
    """The tensors and arrays that it holds, where these are as many as a model has.

    A number beside them may be a tensor, too: how often an average was updated.
    """
    values = list(thing.values()) if isinstance(thing, dict) else list(thing)
    found = [_as_tensor(each) for each in values if type(each) in VALUES]
    tensors = [each for each in found if each is not None]
    if len(tensors) not in counts:
        tensors = [each for each in tensors if each.dim()]
    return tensors if len(tensors) in counts and all(map(is_dense, tensors)) else []


def _as_tensor(value: Any) -> Tensor | None:
    """A tensor as it is, an array as a tensor of its memory; None for one that can't be one."""
    if isinstance(value, Tensor):
        return value
    try:
        # An array that isn't to be written would give a warning.
        return torch.frombuffer(value, dtype=DTYPES[value.dtype.str]).view(value.shape)
    except (KeyError, ValueError, RuntimeError, BufferError):
        return None


def _record(tensors: Sequence[Tensor], step: int | None) -> Record:
    hashes = hash_tensors(tensors)
    values = {
        str(place): f"{hashed} {Held('', tensor, False).form}"
        for place, (tensor, hashed) in enumerate(zip(tensors, hashes, strict=True))
    }
    record: Record = {
        "model": NAME.format("" if step is None else f", after step {step}"),
        "trained": False,
        "copy": True,
        "hash": combine(list(values.values())),
        "tensors": values,
    }
    return record if step is None else {**record, "step": step}
