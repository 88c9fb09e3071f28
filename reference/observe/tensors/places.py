"""Where each parameter stands in a ledger's lists: its place, a number that nothing else gets.

Of those that are gone nothing is kept but how many there were: a training that makes a new model
every few steps takes no more time and memory at its end than at its beginning.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Entry:
    """What is known of the parameter of one place."""

    place: int
    name: str
    model: int  # its number
    reference: "weakref.ref[torch.Tensor]"
    id: int


class Places:
    """Those of all parameters so far.

    Args:
        on_gone: Called with the entries of parameters that are gone, once for each.

    Attributes:
        count: How many there are, with those that are gone.
    """

    def __init__(self, on_gone: Callable[[Sequence[Entry]], None]) -> None:
        self.count = 0
        self._on_gone = on_gone
        self._entries: dict[int, Entry] = {}  # in order
        self._of_id: dict[int, int] = {}

    def add(self, tensor: torch.Tensor, name: str, model: int) -> int:
        """The next place, for a parameter that has none."""
        place = self.count
        self.count += 1
        self._entries[place] = Entry(place, name, model, weakref.ref(tensor), id(tensor))
        self._of_id[id(tensor)] = place
        return place

    def of(self, tensor: torch.Tensor) -> int | None:
        """A parameter's place; None for a stranger, also one that got a dead one's id."""
        place = self._of_id.get(id(tensor))
        entry = None if place is None else self._entries.get(place)
        return place if entry is not None and entry.reference() is tensor else None

    def model_of(self, place: int) -> int:
        """The number of the model that has this living parameter."""
        return self._entries[place].model

    def count_living(self, places: Iterable[int]) -> int:
        """How many of the parameters of these places are still alive."""
        entries = [self._entries.get(place) for place in places]
        return sum(entry is not None and entry.reference() is not None for entry in entries)

    def living(self) -> dict[int, torch.Tensor]:
        """Those that are still there, by their places, in order."""
        there = {
            place: tensor
            for place, entry in self._entries.items()
            if (tensor := entry.reference()) is not None
        }
        if len(there) < len(self._entries):
            self._forget([e for place, e in self._entries.items() if place not in there])
        return there

    def _forget(self, gone: Sequence[Entry]) -> None:
        for entry in gone:
            del self._entries[entry.place]
            if self._of_id.get(entry.id) == entry.place:
                del self._of_id[entry.id]
        self._on_gone(gone)
