"""The order of the training rows, which can be gone on with in the middle of an epoch.

What was read of it before isn't fetched again: the epochs before are empty, and the one that is
gone on with begins at its next row. So the loops' own text stays as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch.utils.data import Sampler

from reference.lesson.saving.generators import Generators


@dataclass(frozen=True)
class Place:
    """Where in the order a run stopped.

    Attributes:
        epoch: Which one, from 0.
        rows: How many of its rows were trained on.
        began: The generators when its order was drawn.
        now: The generators when the run stopped.
    """

    epoch: int
    rows: int
    began: Generators
    now: Generators


class Order(Sampler[int]):
    """A sampler's order, gone on with from a place.

    Where that is reached, the generators are set: a DataLoader draws a number when it begins, and
    the order itself may be drawn from the global generator.
    """

    def __init__(self, sampler: Sampler[int]) -> None:
        self._sampler = sampler
        self._from: Place | None = None
        self._epoch = -1
        self.began = Generators.now()  # when the order of this epoch was drawn

    def __len__(self) -> int:
        return len(self._sampler)  # type: ignore[arg-type]  # each of ours has a length

    def go_on_from(self, place: Place) -> None:
        """Begin there; before the first epoch."""
        self._from = place

    def __iter__(self) -> Iterator[int]:
        self._epoch += 1
        place = self._from
        if place is None or self._epoch > place.epoch:
            self.began = Generators.now()
            yield from self._rows()
        elif self._epoch == place.epoch:
            self.began = place.began
            place.began.set()
            rows = self._rows()
            place.now.set()
            yield from rows[place.rows :]

    def _rows(self) -> list[int]:
        if hasattr(self._sampler, "set_epoch"):  # one that draws by seed and epoch
            self._sampler.set_epoch(self._epoch)
        return list(self._sampler)
