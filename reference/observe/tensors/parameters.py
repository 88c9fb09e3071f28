"""The parameters of every model that trains: their names, their order, their hashes.

Each list of hashes in a ledger is in this order. A parameter's number in it is its place.
"""

import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reference.ledger.combined_hash import combine_listed
from reference.ledger.record import Record
from reference.observe.tensors.buffers import (
    State,
    describe_buffers,
    find_buffers,
    modules_with_state,
)
from reference.observe.tensors.gradient_hooks import GradientHooks, OnGradient
from reference.observe.tensors.hashing import Views, begin_hashes_and_norms, buffer_of
from reference.observe.tensors.last_step import LastStep
from reference.observe.tensors.listed import Gradients, listed
from reference.observe.tensors.module_parameters import (
    described,
    identity,
    is_parameter,
    named_parameters_of,
    prefix_of,
)
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.tensors.places import Entry, Places
from reference.observe.tensors.shards import local_part
from reference.observe.tensors.two_threads import hash_buffers
from reference.observe.torch_internals import modules_of


@dataclass(frozen=True)
class _Wrapper:
    """A module of which every parameter is a known model's, as it was last seen."""

    module: "weakref.ref[torch.nn.Module]"
    ids: list[int]
    owner: int
    state: list[State]


class Parameters:
    """All models seen so far. Holds none of them alive but those that the last step used."""

    def __init__(self) -> None:
        self._hooks = GradientHooks()
        self._places = Places(self._forget)
        self._gone: list[str] = []  # the names of those that went since the last model came
        self._count_models = 0
        self._models: dict[int, weakref.ref[Any]] = {}  # by number, those that are still there
        self._number_of: dict[int, int] = {}  # a module's id -> its number
        self._places_of: dict[int, list[int]] = {}  # a model's number -> its tensors' places
        self._known: dict[int, list[int]] = {}  # a model's number -> its tensors' ids, as last seen
        self._buffers: dict[int, tuple[int, memoryview]] = {}  # by place: address, bytes
        self._with_state: dict[int, list[State]] = {}
        self._wrappers: list[_Wrapper] = []
        self._uncalled: set[int] = set()  # models that an optimizer steps, and nobody has called
        self._used: set[int] = set()  # models with a forward pass since the last step
        self._used_ids: dict[int, list[int]] = {}  # of what is in the modules that were called
        self._last_step = LastStep()
        self._gradient_views = Views()  # from a backward pass to the step that it is for

    @property
    def count(self) -> int:
        """How many parameters there were so far."""
        return self._places.count

    def set_hooks(self, on_gradient: OnGradient) -> None:
        """Have `on_gradient` called for each parameter, of known models and of those to come."""
        self._hooks.on_gradient = on_gradient
        self._hook(self.living().values())

    def remove_hooks(self) -> None:
        """Have it called no more."""
        self._hooks.remove()

    def watch(
        self, module: torch.nn.Module, parts: Sequence[torch.nn.Module]
    ) -> tuple[int, Record | None]:
        """Take note of the model whose forward pass begins.

        Args:
            module: the model.
            parts: it, and all modules within it.

        Returns:
            Its number, and its record in the ledger if anything of it is new.

        Raises:
            TypeError: where its weights are no parameters, so that they can't be followed.
        """
        number, record = self._number(module, parts)
        self._used.add(number)
        self._uncalled.discard(number)
        return number, record

    def adopt_model(self, module: torch.nn.Module) -> Record | None:
        """Take note of a model that an optimizer steps, and that nobody has called.

        Returns:
            Its record in the ledger if anything of it is new.
        """
        number, record = self._number(module, list(modules_of(module)))
        self._used.add(number)
        if record is not None:
            self._uncalled.add(number)
        return record

    def adopt(self, tensors: Sequence[torch.Tensor]) -> Record:
        """Take note of tensors of no module that an optimizer steps."""
        number = self._next_number(tensors[0])
        self._known[number] = []
        self._used.add(number)
        self._uncalled.add(number)
        named = [(f"tensor{place}", tensor) for place, tensor in enumerate(tensors)]
        return self._take_in(number, "tensors of an optimizer", named)

    def is_called(self, tensor: torch.Tensor) -> bool:
        """Whether it is a known parameter, of a model of which a forward pass was seen."""
        place = self.place(tensor)
        return place is not None and self._places.model_of(place) not in self._uncalled

    def use_again(self, tensors: Iterable[torch.Tensor]) -> None:
        """An optimizer steps these: the models that nobody calls are part of this step, too."""
        places = [self.place(tensor) for tensor in tensors]
        models = {self._places.model_of(place) for place in places if place is not None}
        self._used |= models & self._uncalled

    def look_of(self, module: torch.nn.Module, number: int) -> list[int] | None:
        """What tells whether a model has changed since it was watched; None for a part or wrapper.

        Args:
            module: Whose forward pass is going on.
            number: That `watch` gave.
        """
        return self._known[number] if self._is(number, module) else None

    def _is(self, number: int, module: torch.nn.Module) -> bool:
        """Whether this module is the model of this number."""
        reference = self._models.get(number)
        return reference is not None and reference() is module

    def _next_number(self, model: Any) -> int:
        number, self._count_models = self._count_models, self._count_models + 1
        self._models[number] = weakref.ref(model)
        return number

    def _number(
        self, module: torch.nn.Module, parts: Sequence[torch.nn.Module]
    ) -> tuple[int, Record | None]:
        """As `watch`.

        A module of which every parameter is known is a part of a model, or wraps one: it gets the
        number of the first model that has it.
        """
        number = self._number_of.get(id(module))
        if number is not None and not self._is(number, module):
            number = None  # another had this id
        ids = self._used_ids[id(module)] = identity(parts)
        if number is not None and self._known[number] == ids and self._alive(number):
            return number, None
        wrapper = next((w for w in self._wrappers if w.module() is module), None)
        if wrapper is not None and wrapper.ids == ids and self._alive(wrapper.owner):
            return wrapper.owner, None
        named = named_parameters_of(module)
        fresh = [(n, p) for n, p in named if self.place(p) is None and is_parameter(p)]
        if number is None and not fresh:
            if all(self.place(p) is None for _, p in named):
                raise TypeError("the model's weights are no parameters")
            return self._wrapped(module, ids, named), None
        if number is None:
            number = self._next_number(module)
            self._number_of[id(module)] = number
        self._known[number] = ids
        self._with_state[number] = modules_with_state(module, prefix_of(number))
        self._hook(parameter for _, parameter in named)
        if not fresh:
            return number, None  # some part of it was frozen, thawed or taken out
        return number, self._take_in(number, type(module).__name__, fresh)

    def _take_in(self, number: int, kind: str, fresh: Sequence[tuple[str, torch.Tensor]]) -> Record:
        """New parameters of a model, by name; its record in the ledger."""
        prefix = prefix_of(number)
        for name, parameter in fresh:
            place = self._places.add(parameter, prefix + plain_name(name), number)
            self._places_of.setdefault(number, []).append(place)
        self._hook(parameter for _, parameter in fresh)
        gone, self._gone = self._gone, []
        return {
            "kind": "model",
            "model": number,
            "class": kind,
            "parameters": [described(prefix + plain_name(name), p) for name, p in fresh],
            "gone": gone,
        }

    def _wrapped(
        self, module: torch.nn.Module, ids: list[int], named: list[tuple[str, torch.Tensor]]
    ) -> int:
        """The number of the model that a part or wrapper belongs to; its own buffers join it."""
        alive = [(w, w.module()) for w in self._wrappers]
        self._wrappers = [w for w, m in alive if m is not None and m is not module]
        self._hook(parameter for _, parameter in named)
        owner, state = self._owner(named), modules_with_state(module, "")
        self._wrappers.append(_Wrapper(weakref.ref(module), ids, owner, state))
        return owner

    def _alive(self, number: int) -> bool:
        """Whether a model's tensors are all still there: else another may have got one's id."""
        places = self._places_of.get(number, [])
        return self._places.count_living(places) == len(places)

    def _owner(self, named: list[tuple[str, torch.Tensor]]) -> int:
        places = [self.place(parameter) for _, parameter in named]
        return next((self._places.model_of(place) for place in places if place is not None), 0)

    def place(self, tensor: torch.Tensor) -> int | None:
        """A tensor's place; None for a stranger, also one that got a dead one's id."""
        return self._places.of(tensor)

    def _hook(self, tensors: Iterable[torch.Tensor]) -> None:
        self._hooks.put((self.place(tensor), tensor) for tensor in tensors)

    def keep(self) -> None:
        """Hold the tensors of the models that the last step used, until the next step."""
        if not self._used:
            return  # a step without a forward pass of its own
        # By identity: a part that was seen before its model has a number of its own.
        ids = {abs(i) for each in self._used_ids.values() for i in each}
        kept = {
            place: tensor
            for place, tensor in self.living().items()
            if id(tensor) in ids or self._places.model_of(place) in self._used
        }
        self._last_step = LastStep(kept, self._states(self._used))
        self._used, self._used_ids = set(), {}

    def _states(self, models: Collection[int]) -> list[State]:
        """Of these models, and of what wraps them."""
        states = [state for number in models for state in self._with_state.get(number, [])]
        wrappers = [w for w in self._wrappers if w.owner in models]
        return states + [state for wrapper in wrappers for state in wrapper.state]

    def living(self) -> dict[int, torch.Tensor]:
        """Those that are still there, by their places, in order."""
        return self._places.living()

    def _forget(self, gone: Sequence[Entry]) -> None:
        """Nothing is kept for parameters that are gone, nor for models that are."""
        self._gone += [entry.name for entry in gone]
        for entry in gone:
            self._hooks.forget(entry.place)
            self._buffers.pop(entry.place, None)
        for number in {entry.model for entry in gone}:
            states = self._with_state.pop(number, [])
            if any(module() is not None for _, module in states):
                self._with_state[number] = states
            module = self._models.get(number)
            if module is not None and module() is None:
                self._forget_model(number)

    def _forget_model(self, number: int) -> None:
        if self._places.count_living(self._places_of.get(number, [])):
            return  # others have some of its parameters
        self._models.pop(number)
        self._places_of.pop(number, None)
        self._known.pop(number, None)
        self._number_of = {i: n for i, n in self._number_of.items() if n != number}
        self._uncalled.discard(number)

    def values(self) -> Record:
        """The links `weights` and `update`: the hash of all the weights by now, and of each."""
        living = self.living()
        hashes = hash_buffers([self._buffer(place, tensor) for place, tensor in living.items()])
        tensors = listed(tuple(living), hashes, self.count)
        record: Record = {"hash": combine_listed(tensors), "tensors": tensors}
        buffers = describe_buffers(self.buffers())
        return record if buffers is None else {**record, "buffers": buffers}

    def buffers(self) -> dict[str, torch.Tensor]:
        """What the models keep beside their weights, by name."""
        return find_buffers(self._states(self._with_state))

    def last(self) -> Record:
        """The last step's models as they are now."""
        return self._last_step.now(self.count)

    def _buffer(self, place: int, tensor: torch.Tensor) -> memoryview:
        """A tensor's bytes. Its view is kept as long as it is of the same memory."""
        tensor = local_part(tensor)
        if not tensor.is_cpu:
            return buffer_of(tensor)
        if not tensor.is_contiguous():
            return buffer_of(tensor)  # a copy: it would not follow the tensor
        known, address = self._buffers.get(place), tensor.data_ptr()
        if known is None or known[0] != address or known[1].nbytes != tensor.nbytes:
            known = self._buffers[place] = (address, buffer_of(tensor))
        return known[1]

    def let_go_of_gradients(self) -> None:
        """Hold none, so that the script can free them: a step is over, or a forward pass begins."""
        self._gradient_views.clear()

    def let_go(self) -> None:
        """Hold no tensor's memory: nothing more is recorded."""
        self.let_go_of_gradients()
        self._buffers.clear()
        self._last_step = LastStep()

    def gradients(self) -> Gradients:
        """Each gradient's hash and norm; '-' and 0.0 where there is none."""
        return self.begin_gradients()()

    def begin_gradients(self) -> Callable[[], Gradients]:
        """As `gradients`, begun by another core or done already; to be called for the result."""
        living, total = self.living(), self.count
        finish = begin_hashes_and_norms([t.grad for t in living.values()], self._gradient_views)

        def finished() -> Gradients:
            pairs = finish()
            hashes, norms = [hash_ for hash_, _ in pairs], [norm for _, norm in pairs]
            return Gradients(tuple(living), hashes, norms, total)

        return finished
