"""Models that nobody calls, and that a training moves: copies of what trains, and its owners.

A copy is an average of the weights, or a teacher. An owner is a module that is used through methods
of its own (`model.loss(x)`), so that only its parts are called. No hook tells of either: they are
looked for among all that Python has alive.
"""

import gc
from collections.abc import Iterable, Sequence

import torch
from torch.optim.lr_scheduler import LRScheduler

from reference.observe.tensors.held_tensors import held, unwrapped
from reference.observe.torch_internals import insides, is_built

Form = list[tuple[str, torch.Size]]


def is_looked_for(step: int) -> bool:
    """Whether this is a step for it: 1, 4, 32, 256 and so on.

    Looking takes about 0.15 s (450,000 objects alive, as with `transformers` and `datasets`).
    """
    at = 4
    while at < step:
        at *= 8
    return step in (1, at)


def living() -> tuple[list[torch.nn.Module], list[LRScheduler]]:
    """All modules and all schedulers that are alive, in no order. Runs no code of theirs."""
    kinds: dict[type, bool] = {}
    found = []
    for thing in gc.get_objects():
        kind = type(thing)
        is_one = kinds.get(kind)
        if is_one is None:
            is_one = kinds[kind] = issubclass(kind, torch.nn.Module | LRScheduler)
        if is_one:
            found.append(thing)
    modules = [thing for thing in found if not isinstance(thing, LRScheduler) and is_built(thing)]
    return modules, [thing for thing in found if isinstance(thing, LRScheduler)]


def copies(
    models: Sequence[torch.nn.Module], alive: Iterable[torch.nn.Module]
) -> list[torch.nn.Module]:
    """The modules of the class, names and shapes of one of these models, and none of these.

    Args:
        models: What trains. Of a wrapper that counts which it wraps.
        alive: All modules.
    """
    own = [unwrapped(model) for model in models]
    forms: dict[type, list[Form]] = {}
    for module in own:
        forms.setdefault(type(module), []).append(_form(module))
    known = {id(module) for module in own}
    modules = [m for m in alive if type(m) in forms and id(m) not in known]
    return [m for m in modules if _form(m) in forms[type(m)]]


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


def _form(module: torch.nn.Module) -> Form:
    return [(each.name, each.tensor.shape) for each in held(insides(module))]
