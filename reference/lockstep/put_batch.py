"""What comes from the loader: A's batch in the place of B's, where both give the same fields.

A script may use its batch in ways that no hook sees: it counts labels, masks, or feeds a second
model. What the model itself is given is put in place again where it is called (`put_inputs.py`).
"""

from typing import Any

from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.arguments_put import put_outputs
from reference.lockstep.generator_states import generator_states
from reference.lockstep.notes import Notes
from reference.lockstep.packing import described, is_sent, unpack_all
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher, outputs_of

REMEMBERED = 64  # batches


class LoaderPlacer:
    """The batches of the one loader that both train with."""

    def __init__(self, watcher: Watcher, stream: Stream, notes: Notes) -> None:
        self._watcher, self._stream, self._notes = watcher, stream, notes
        self._datasets: list[Any] = []
        self._counts: list[int] = []
        self._trains: int | None = None  # B's loader
        self._partner: int | None = None  # A's
        # A's batches by their loader and number, not yet given.
        self._theirs: dict[tuple[int | None, int], Event] = {}
        self._own: dict[str, Tensor] = {}  # by A's hash: what stood there
        self._ahead = 0  # of B's batches, those of A's: of more passes a step
        self._missed = 0  # of B's batches, those that stayed its own
        self._last: dict[str, str] | None = None  # the generators' states when it gave the last
        self._drawn = False  # since then, by the script itself

    @property
    def wanted(self) -> int | None:
        """A's loader whose batches B takes; None where that isn't known yet."""
        return self._partner

    def yields(self, dataset: Any, batch: Any) -> Any:
        """B's loader gives a batch; gives A's."""
        number = self._number(dataset)
        place = self._counts[number] + self._ahead
        self._counts[number] += 1
        if not self._notes.puts("batch", "values") or self._trains not in (None, number):
            return batch
        own = outputs_of(batch)
        event = self._find(own, place)
        if event is None:
            self._missed += self._trains is not None
            return batch
        self._trains = number
        self._last, self._drawn = generator_states(), False
        return self._put(batch, own, event)

    def shift(self, passes: int) -> None:
        """A step is over in which A has made so many passes more, each of a batch."""
        self._ahead += passes
        self._missed += 1

    @property
    def takes(self) -> bool:
        """Whether B has a loader that gives A's batches."""
        return self._trains is not None

    def looked(self) -> None:
        """A model was called without gradients: before all training that makes no training loader.

        The loader that was taken for it may have been an evaluation's; the next batch tells.
        """
        if self._watcher.step == 1 and self._watcher.passes == 0:
            self._trains = self._partner = None

    def look_at(self, states: dict[str, str]) -> None:
        """A pass begins, or the script goes on after one: has it drawn numbers in between?"""
        self._drawn = self._drawn or (self._last is not None and self._last != states)

    def go_on(self) -> None:
        """A pass is over: what it drew wasn't drawn by the script."""
        if self._last is not None:
            self._last = generator_states()

    @property
    def explains(self) -> bool:
        """Whether what B makes of its batch has to be what A makes of it: the batch is A's."""
        return self._trains is not None and not self._missed and not self._drawn

    def own(self, hashed: str) -> Tensor | None:
        """What B's loader gave where A's tensor of this hash stands now."""
        return self._own.get(hashed)

    def _number(self, dataset: Any) -> int:
        number = number_of(dataset, self._datasets)
        if number == len(self._counts):
            self._counts.append(0)
        return number

    def _find(self, own: dict[str, Tensor], place: int) -> Event | None:
        """A's batch of this number, if it is there before A's next pass."""
        step = self._watcher.step
        while (self._partner, place) not in self._theirs:
            event = self._stream.seek(
                "loader", step=step, until=lambda e: e.kind == "pass" and e.record["step"] == step
            )
            if event is None:
                return None
            self._take(event, own)
        for earlier in [key for key in self._theirs if key[1] < place]:
            del self._theirs[earlier]
        return self._theirs.pop((self._partner, place))

    def _take(self, event: Event, own: dict[str, Tensor]) -> None:
        loader = event.record["loader"]
        if self._partner is None and _fits(event.record["tensors"], own):
            self._partner = loader
        if loader == self._partner:
            self._theirs[loader, event.record["index"]] = event

    def _put(self, batch: Any, own: dict[str, Tensor], event: Event) -> Any:
        records: Record = event.record["tensors"]
        if not _fits(records, own):
            self._missed += 1
            return batch
        own = {name: own[name] for name in records}
        unequal = [n for n, record in records.items() if described(own[n]) != record]
        names = [n for n in unequal if is_sent(records[n], event.pieces)]
        self._missed += len(names) < len(unequal)
        if not names:
            return batch
        values = unpack_all({n: records[n] for n in names}, event.pieces)
        for name in names:
            self._own[records[name]["hash"]] = own[name]
            self._notes.unequal(self._watcher.step, "batch", f"loaded {name}", None, None)
        while len(self._own) > REMEMBERED * max(1, len(records)):
            del self._own[next(iter(self._own))]
        return put_outputs(batch, {n: values[n].to(own[n].device) for n in names})


def number_of(dataset: Any, known: list[Any]) -> int:
    """A dataset's number among those known; one that is made anew each epoch keeps it."""
    for number, other in enumerate(known):
        if other is dataset or (type(other) is type(dataset) and _size(other) == _size(dataset)):
            return number
    known.append(dataset)
    return len(known) - 1


def _size(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError:  # it is iterated over
        return id(dataset)


def _fits(records: Record, own: dict[str, Tensor]) -> bool:
    """Whether a batch has the same fields: names, types, dimensions."""
    if not own or list(records) != list(own):
        return False
    return all(
        record["type"] == str(own[name].dtype).removeprefix("torch.")
        and len(record["shape"]) == own[name].dim()
        for name, record in records.items()
    )
