"""The modules of parameters that an optimizer steps, and that no observed forward pass used.

A script may call `model.forward(x)` in place of `model(x)`, use a module's weights through torch's
functions, or train tensors that no module has. Then only its optimizer tells of them.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.tensors.parameters import Parameters
from reference.observe.tensors.uncalled_models import living_modules, owners
from reference.observe.torch_internals import modules_of, own_parameters

MOST_LOOKS = 8  # for owners, each of which takes about 0.15 s


class Owners:
    """Finds them among all modules that Python has alive."""

    def __init__(self) -> None:
        self._looks, self._frozen = 0, gc.get_freeze_count()

    def take(self, strangers: Sequence[Tensor], parameters: Parameters) -> Iterator[Record]:
        """Have these parameters known: those of a module by their names in it, others by number.

        Yields:
            The records of models that are new to the ledger.
        """
        if strangers and self._looks < MOST_LOOKS:
            self._looks += 1
            for owner in _outermost(strangers, self._frozen):
                record = parameters.adopt_model(owner)
                if record is not None:
                    yield record
        bare = [tensor for tensor in strangers if parameters.place(tensor) is None]
        if bare:
            yield parameters.adopt(list({id(tensor): tensor for tensor in bare}.values()))


def _outermost(tensors: Sequence[Tensor], frozen_before: int) -> list[torch.nn.Module]:
    """The outermost modules that have one of these."""
    wanted = {id(tensor) for tensor in tensors}
    alive = living_modules(frozen_before)
    having = [
        module
        for module in alive
        if any(id(p) in wanted for p in own_parameters(module).values() if p is not None)
    ]
    found: dict[int, torch.nn.Module] = {}
    for module in having:
        for outer in owners([module], alive) or [module]:
            found[id(outer)] = outer
    # What is alive is found in the order in which Python's garbage collector has it.
    place_of = {id(tensor): place for place, tensor in enumerate(tensors)}
    return sorted(found.values(), key=lambda module: _first_place(module, place_of))


def _first_place(module: torch.nn.Module, place_of: Mapping[int, int]) -> int:
    ids = (id(p) for m in modules_of(module) for p in own_parameters(m).values())
    return min(place_of.get(each, len(place_of)) for each in ids)
