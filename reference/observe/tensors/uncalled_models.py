"""Models that nobody calls, and that a training moves: copies of what trains, and its owners.

A copy is an average of the weights, or a teacher. An owner is a module that is used through methods
of its own (`model.loss(x)`), so that only its parts are called. No hook tells of either: they are
looked for among all that Python has alive.
"""

import gc
import sys
import types
import weakref
from collections.abc import Iterable, Sequence
from itertools import chain, compress, count, repeat
from operator import is_, is_not
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from reference.observe.tensors.forms import Form, addresses_in, is_copy, is_dense
from reference.observe.tensors.held_tensors import held, ids_of_parts, unwrapped
from reference.observe.tensors.plain_copies import is_kept_in
from reference.observe.torch_internals import insides, is_built, modules_of

Named = list[tuple[str, torch.Size]]
# Of these there are many, and a script keeps its mappings elsewhere.
HOLD_NO_MAPPINGS = frozenset(
    {
        *(types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.ModuleType),
        types.FrameType,  # one that runs refers to none of its variables: CPython's rule
        *(types.GetSetDescriptorType, types.MethodDescriptorType, types.WrapperDescriptorType),
        *(types.MemberDescriptorType, types.ClassMethodDescriptorType, types.GenericAlias),
        *(tuple, type, property, set, frozenset, staticmethod, classmethod, weakref.ref),
    }
)


def is_looked_for(step: int) -> bool:
    """Whether this is a step for it: 1, 4, 32, 256 and so on.

    Looking takes about 0.3 s (450,000 objects alive, as with `transformers` and `datasets`).
    """
    at = 4
    while at < step:
        at *= 8
    return step in (1, at)


def living_modules(frozen_before: int) -> list[torch.nn.Module]:
    """All modules that are alive, in no order. Runs no code of theirs; `all_objects` has more."""
    return living(range(0), frozen_before)[0]


def tracked() -> list[Any]:
    """All that the garbage collector lists, without tuples, as of one moment.

    A tuple that is being made of a generator (`tuple(train(step) for step in ...)`) has places
    without an object: to read one ends the process. And Python refuses to finish it where anybody
    else holds it. So none is held for as long as another thread could go on: `extend` is one call,
    of C's own functions alone, and none of these keeps what it has given. Each object comes twice,
    to be looked at and to be taken.
    """
    found: list[Any] = []
    everything = chain.from_iterable(map(gc.get_objects, (None,)))
    twice = chain.from_iterable(map(repeat, everything, repeat(2)))
    found.extend(compress(twice, map(is_not, map(type, twice), repeat(tuple))))
    # It is listed too: a list within itself would keep all of the script's objects alive.
    del found[next(compress(count(), map(is_, found, repeat(found))))]
    return found


def all_objects(frozen_before: int) -> list[Any]:
    """All that Python's garbage collector knows but tuples, also what `gc.freeze()` hides from it.

    It lists no frozen object. They are found as what others refer to, which takes about a second.
    What was frozen before the training was observed, as what a process imports before it forks
    others, isn't looked for.

    Args:
        frozen_before: How many objects were frozen then.
    """
    objects = tracked()
    if gc.get_freeze_count() <= frozen_before:
        return objects
    waiting = [*objects, sys.modules]
    seen = set(map(id, waiting))
    while waiting:
        fresh = {id(each): each for each in gc.get_referents(*waiting) if gc.is_tracked(each)}
        waiting = [each for number, each in fresh.items() if number not in seen]
        seen.update(map(id, waiting))
        objects += waiting
    return objects


def living(
    lengths: range,
    frozen_before: int,
) -> tuple[list[torch.nn.Module], list[Any], list[LRScheduler]]:
    """All modules that are alive, lists and mappings of so many things, and schedulers."""
    kinds: dict[type, type | None] = {}  # which of the two a class is of
    modules: list[torch.nn.Module] = []
    things: list[Any] = []
    schedulers: list[LRScheduler] = []
    holding: set[type] = set()
    holders: list[Any] = []
    for thing in all_objects(frozen_before):
        kind = type(thing)
        if kind not in kinds:
            ours = (base for base in (torch.nn.Module, LRScheduler) if issubclass(kind, base))
            kinds[kind] = next(ours, None)
            if lengths and kind not in HOLD_NO_MAPPINGS:
                holding.add(kind)
        if kind in holding:
            holders.append(thing)
        if kinds[kind] is torch.nn.Module and is_built(thing):
            modules.append(thing)
        elif kinds[kind] is LRScheduler:
            schedulers.append(thing)
        elif kind is not tuple and is_kept_in(kind, thing, lengths):
            things.append(thing)
    # A mapping of arrays alone isn't known to the collector: an array refers to nothing. A tuple
    # that something refers to is whole.
    referred = gc.get_referents(*holders)
    holders.clear()  # it holds itself
    found: dict[int, Any] = {}
    for kind in (dict, tuple):
        alike: list[Any] = list(compress(referred, map(is_, map(type, referred), repeat(kind))))
        fitting = compress(alike, map(lengths.__contains__, map(len, alike)))
        hidden = (each for each in fitting if kind is tuple or not gc.is_tracked(each))
        found.update((id(each), each) for each in hidden if is_kept_in(kind, each, lengths))
    return modules, [*things, *found.values()], schedulers


def copies(
    models: Sequence[torch.nn.Module], forms: Sequence[Form], alive: Sequence[torch.nn.Module]
) -> list[torch.nn.Module]:
    """The modules that hold what one of these models does: none of these, nor a part of another.

    Those of its class, names and shapes; and those of another class with weights of its shapes.
    Of a copy that is wrapped it is the wrapper, as it is where somebody calls it.

    Args:
        models: What trains. Of a wrapper that counts which it wraps.
        forms: Of these models.
        alive: All modules.
    """
    own = [unwrapped(model) for model in models]
    named: dict[type, list[Named]] = {}
    for module in own:
        named.setdefault(type(module), []).append(_form(module))
    known = {id(part) for module in own for part in modules_of(module)}
    wrappers = {id(inner): m for m in alive if (inner := unwrapped(m)) is not m}
    taken = addresses_in(modules_of_all(own))
    counts: dict[int, int] = {}
    lengths = {len(form.tensors) for form in forms}
    found: dict[int, torch.nn.Module] = {}
    for module in alive:
        if id(module) in known or id(unwrapped(module)) in known:
            continue
        alike = type(module) in named and _form(module) in named[type(module)]
        if not alike and _count(module, counts) in lengths:
            tensors = [each.tensor for each in held(insides(module))]
            alike = (
                all(map(is_dense, tensors))
                and taken.isdisjoint(t.data_ptr() for t in tensors)
                and is_copy(tensors, forms)
            )
        if alike:
            outer = wrappers.get(id(unwrapped(module)), module)
            found[id(outer)] = outer
    within: set[int] = set()
    for each in found.values():
        within |= ids_of_parts(insides(each))
    return [module for number, module in found.items() if number not in within]


def modules_of_all(models: Iterable[torch.nn.Module]) -> list[torch.nn.Module]:
    """All modules within these."""
    return [part for model in models for part in modules_of(model)]


def _count(module: torch.nn.Module, counts: dict[int, int]) -> int:
    """How many tensors a module and its parts hold, a shared one for each."""
    known = counts.get(id(module))
    if known is None:
        counts[id(module)] = 0  # of one that is a part of itself
        inside = insides(module)
        own = sum(t is not None for t in (*inside.parameters.values(), *inside.buffers.values()))
        parts = [part for part in inside.parts.values() if part is not None]
        known = counts[id(module)] = own + sum(_count(part, counts) for part in parts)
    return known


def owners(
    models: Iterable[torch.nn.Module], alive: Sequence[torch.nn.Module]
) -> list[torch.nn.Module]:
    """The outermost modules that have one of these models as a part.

    Args:
        models: What trains, each called by itself.
        alive: All modules.
    """
    parents: dict[int, list[torch.nn.Module]] = {}
    for module in alive:
        for part in insides(module).parts.values():
            parents.setdefault(id(part), []).append(module)
    found: dict[int, torch.nn.Module] = {}
    waiting = list(models)
    seen = {id(model) for model in waiting}
    while waiting:
        for parent in parents.get(id(waiting.pop()), []):
            if id(parent) not in seen:
                seen.add(id(parent))
                waiting.append(parent)
                if id(parent) not in parents:
                    found[id(parent)] = parent
    return list(found.values())


def _form(module: torch.nn.Module) -> Named:
    return [(each.name, each.tensor.shape) for each in held(insides(module))]
