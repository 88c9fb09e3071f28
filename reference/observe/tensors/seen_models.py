"""Every model that was called, and what it holds at the end of the run, or of its own life.

A model is read as it stands then, by what its modules have, and not by the tensors that it trained
with: these may have been replaced since. None is held alive. What is held are the mappings in which
it keeps its parameters, buffers and parts, until the model is gone: then they are read, and let go.
"""

import gc
import sys
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping

import torch

from reference.ledger.combined_hash import combine
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.observe.step.attended_padding import padding_that_counts
from reference.observe.step.rows import padding_of
from reference.observe.step.schedulers import Schedulers
from reference.observe.step.settings import in_short, largest_dropout
from reference.observe.tensors import uncalled_models
from reference.observe.tensors.forms import forms_of
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.held_tensors import classes_of_parts, held, ids_of_parts, unwrapped
from reference.observe.tensors.memory import is_given_back
from reference.observe.tensors.plain_copies import PlainCopies, lengths_of
from reference.observe.tensors.shards import local_part
from reference.observe.torch_internals import (
    Insides,
    insides,
    modules_of,
    own_buffers,
    without_modes,
)

PRECISE = (
    *(torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.int32, torch.int64, torch.bool),
)
RUNNING = "running_mean"  # the buffer that tells a batch normalisation
COUNTER = " int64 number"  # how a count of batches or models is described, after its hash


class SeenModel:
    """A model that was called, or a copy of one that trains.

    Attributes:
        name: Its class, and from the second of a class on its number.
        trained: Whether a step was made of a pass of it.
        turn: The number of models whose first step came before its own, or that of a part of it.
        part: Whether it was called as a model, and is a part of another that was.
        of_trained: Whether it was a part of one that trains, or had its weights, when it was first
            called.
        first: Of a copy that nobody has called the hash of what it held in the first step, or
            nothing where it came later. None for a model that was called.
        padding: The values that pad its inputs.
        needs_mask_for: The id that pads them, of a model that attends to it without a mask.
    """

    def __init__(
        self, module: torch.nn.Module, name: str, gone: Callable[["SeenModel"], None]
    ) -> None:
        self.name, self.padding = name, padding_of(module)
        self.needs_mask_for = padding_that_counts(module)
        self.trained = self.part = self.of_trained = False
        self.turn = sys.maxsize
        self.first: str | None = None
        self._id, self._gone = id(module), gone
        self._is_precise = False
        self._in_train_mode: Record = {}
        self._insides: Insides | None = insides(module)
        self._state: Record | None = None  # of one that is gone
        self._reference = weakref.ref(module, self._die)

    def module(self) -> torch.nn.Module | None:
        """The module; None when it is gone."""
        return self._reference()

    def in_train_mode(self) -> Record:
        """What makes its train mode another than its eval mode; looked for once.

        Returns:
            `dropout`: the largest p of some part of it, or 0; `statistics`: true where some part
            keeps running ones.
        """
        module = self._reference()
        if not self._in_train_mode and module is not None:
            parts = list(modules_of(module))
            follows = any(own_buffers(part).get(RUNNING) is not None for part in parts)
            self._in_train_mode = {
                "dropout": max(map(largest_dropout, parts)),
                **({"statistics": True} if follows else {}),
            }
        return self._in_train_mode

    def is_still(self) -> bool:
        """Whether it is a copy that nobody has called, and that hasn't moved since the start."""
        return bool(self.first) and self.state().get("hash") == self.first

    def addresses(self) -> set[int]:
        """Where in memory its tensors are: a traced or scripted model has those of its own one."""
        everything = () if self._insides is None else held(self._insides)
        tensors = (local_part(each.tensor) for each in everything)
        return {t.data_ptr() for t in tensors if t.layout == torch.strided and t.numel()} - {0}

    def has(self, other: "SeenModel") -> bool:
        """Whether the other is a part of it."""
        return self._insides is not None and other.is_one_of(ids_of_parts(self._insides))

    def is_one_of(self, ids: Collection[int]) -> bool:
        """Whether it is one of the living modules of these ids: that of a dead one is another's."""
        return self._insides is not None and self._id in ids

    def state(self) -> Record:
        """What it holds: each tensor's hash, type and shape by its name, and a hash of all.

        `fleeting` has those that a checkpoint doesn't hold.
        """
        if self._state is not None or self._insides is None:
            return self._state or {}
        everything = list(held(self._insides))
        # One that gave its memory back has no values any more.
        own = ((id(each), local_part(each.tensor)) for each in everything)
        gone = {number for number, tensor in own if tensor.is_meta or is_given_back(tensor)}
        hashes = iter(hash_tensors([e.tensor for e in everything if id(e) not in gone]))
        kinds: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for each in everything:
            hashed = ABSENT if id(each) in gone else next(hashes)
            kinds[each.fleeting][each.name] = f"{hashed} {each.form}"
        tensors, fleeting = kinds
        record: Record = {"hash": hash_of(tensors, fleeting), "tensors": tensors}
        if self.trained:
            record["parts"] = in_short(classes_of_parts(self._insides))
        return {**record, "fleeting": fleeting} if fleeting else record

    def values(self) -> str:
        """A hash of what it computes with, by whatever names, and without what only counts."""
        state = self.state()
        values = (*state.get("tensors", {}).values(), *state.get("fleeting", {}).values())
        return combine([value for value in values if not value.endswith(COUNTER)])

    def is_precise(self) -> bool:
        """Whether it computes on the CPU, in float32 or better, as far as its tensors tell."""
        if self._insides is not None:
            tensors = [each.tensor for each in held(self._insides)]
            self._is_precise = bool(tensors) and all(
                t.device.type == "cpu" and t.dtype in PRECISE and t.layout == torch.strided
                for t in tensors
            )
        return self._is_precise

    def mark_parts(self, others: Iterable["SeenModel"]) -> None:
        """Say of each of the others that is a part of this one that it is."""
        if self._insides is None:
            return
        parts = ids_of_parts(self._insides)
        for other in others:
            if other.is_one_of(parts):
                other.part = True
                self.trained = self.trained or other.trained
                self.turn = min(self.turn, other.turn)

    def _die(self, _reference: object) -> None:
        """Called by Python when the module is gone; what it held isn't yet."""
        try:
            self._gone(self)
            with without_modes():
                self._state = self.state()
        except Exception as error:  # nobody can be told: this runs in a destructor
            self._state = {"hash": "", "tensors": {}, "unseen": f"{type(error).__name__}: {error}"}
        self._insides = None


def hash_of(tensors: Mapping[str, str], fleeting: Mapping[str, str]) -> str:
    """Of all that a model holds."""
    return combine(
        [f"{name} {value}" for each in (tensors, fleeting) for name, value in each.items()]
    )


class SeenModels:
    """All of them, in the order of their first calls.

    Args:
        uncalled: Models that nobody calls are looked for, too (`uncalled_models.py`).
    """

    def __init__(self, *, uncalled: bool) -> None:
        self._uncalled, self._frozen = uncalled, gc.get_freeze_count()
        self._plain_copies = PlainCopies()
        self._all: list[SeenModel] = []
        self._living: tuple[SeenModel, ...] = ()  # anew each time: one may go at any moment
        self._count_trained = 0
        self._of_id: dict[int, SeenModel] = {}
        self._of_class: dict[str, int] = {}
        self.schedulers = Schedulers()  # of learning rates: they are looked for together

    def see(self, module: torch.nn.Module) -> SeenModel:
        """The model that is called now."""
        known = self._known(module)
        if known is None or known.first is not None:  # not called before
            kind = type(module).__name__
            count = self._of_class[kind] = self._of_class.get(kind, 0) + 1
            known = self._add(module, kind if count == 1 else f"{kind} {count}")
            own = known.addresses()
            known.of_trained = any(
                m.has(known) or not own.isdisjoint(m.addresses()) for m in self._living if m.trained
            )
        return known

    def take_step_of(self, model: SeenModel) -> None:
        """A step was made of a pass of this one."""
        if not model.trained:
            model.trained, model.turn = True, self._count_trained
            self._count_trained += 1

    def look_around(self, step: int) -> None:
        """In some steps, and before the first moves anything beside the model that it trains."""
        if uncalled_models.is_looked_for(step):
            self._take_uncalled(step)

    def at_end(self) -> list[Record]:
        """What each holds, or held when it was gone; what is a part of another isn't repeated."""
        self._take_uncalled(None)
        for model in self._living:
            model.mark_parts(self._living)
        # In an order that equal steps have in both runs; that of the first calls may be another.
        ordered = sorted(self._all, key=lambda model: model.turn)
        whole = [m for m in ordered if not m.part and not m.is_still()]
        records = [
            {
                "model": m.name,
                "trained": m.trained,
                **({"copy": True} if m.first is not None else {}),
                **m.state(),
            }
            for m in whole
        ]
        return records + self._plain_copies.at_end()

    def shapes_trained(self) -> set[tuple[torch.Size, ...]]:
        """Of the parameters of each model that trains, and of all that a checkpoint of it holds."""
        there = [model.module() for model in self._living if model.trained]
        forms = (form for m in there if m is not None for form in forms_of(unwrapped(m)))
        return {tuple(form.shapes) for form in forms}

    def _take_uncalled(self, step: int | None) -> None:
        """Look for them after a step; None at the end."""
        there = [model.module() for model in self._living if model.trained]
        trained = [module for module in there if module is not None]
        if not self._uncalled or not trained:
            return
        forms = [form for model in trained for form in forms_of(unwrapped(model))]
        alive, things, schedulers = uncalled_models.living(lengths_of(forms), self._frozen)
        for owner in uncalled_models.owners(trained, alive):
            self.see(owner)
        for module in uncalled_models.copies(trained, forms, alive):
            if self._known(module) is None and self._known(unwrapped(module)) is None:
                copy = self._add(module, f"{type(module).__name__} (a copy)")
                copy.first = str(copy.state()["hash"]) if step == 1 else ""
        self._plain_copies.look(things, forms, alive, step)
        self.schedulers.take(schedulers)

    def _known(self, module: torch.nn.Module) -> SeenModel | None:
        known = self._of_id.get(id(module))
        return known if known is not None and known.module() is module else None

    def _add(self, module: torch.nn.Module, name: str) -> SeenModel:
        model = SeenModel(module, name, self._bury)
        before = self._known(module)
        if before is not None:
            self._all.remove(before)
            self._bury(before)
        self._all.append(model)
        self._living = (*self._living, model)
        self._of_id[id(module)] = model
        return model

    def _bury(self, model: SeenModel) -> None:
        """It is gone: what is a part of it is known by now, and nobody goes through it again."""
        model.mark_parts(self._living)
        self._living = tuple(each for each in self._living if each is not model)
        self._of_id = {i: each for i, each in self._of_id.items() if each is not model}
