"""Copies of a model's weights in plain tensors: an average in a list, or in a mapping by name.

Nothing tells when such a list changes or goes, and to hold it would keep it alive. So what it has
is written down whenever models are looked for that nobody calls, and at the end.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.tensors.forms import Form, addresses_in, is_copy, is_dense
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.held_tensors import Held

NAME = "weights (a copy in plain tensors{})"
KINDS = frozenset({list, tuple, dict, OrderedDict})
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


def is_kept_in(kind: type, thing: Any, lengths: Collection[int]) -> bool:
    """Whether it is a list or mapping of so many things."""
    return kind in KINDS and len(thing) in lengths


def _records(
    things: Sequence[Any],
    forms: Sequence[Form],
    modules: Collection[torch.nn.Module],
    step: int | None,
) -> list[Record]:
    held = [tensors for thing in things if (tensors := _tensors(thing))]
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


def _tensors(thing: Any) -> list[Tensor]:
    """What it holds, where that is tensors alone."""
    values = list(thing.values()) if isinstance(thing, dict) else list(thing)
    return values if all(map(is_dense, values)) else []


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
