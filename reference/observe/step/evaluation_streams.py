"""What all passes of an evaluation take and give, hashed as it comes, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xxhash

from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.content import Content, Part, Sums
from reference.observe.step.projections import COUNT, of_rows


class _Stream:
    """One input or output of all passes of an evaluation."""

    def __init__(self, part: Part) -> None:
        self._hash = xxhash.xxh3_64()
        self._form = part.form
        self._by_rows = True
        self._has_numbers = part.numbers is not None
        self._plain, self._squashed, self._odd = _Sums(), _Sums(), _Odd()
        self._count = 0

    def add(self, part: Part) -> None:
        self._hash.update(part.values)
        if part.form != self._form:
            self._hash.update(part.form.encode())
            self._by_rows = False
        self._by_rows = self._by_rows and part.by_rows
        numbers = part.numbers
        if self._has_numbers and numbers is not None:
            self._plain.add(numbers.plain, self._count)
            self._squashed.add(numbers.squashed, self._count)
            if numbers.odd is not None:
                self._odd.add(numbers.odd, self._count)
            self._count += len(numbers.plain.signed)

    def record(self) -> list[object]:
        """Hash and form; of numbers by rows also their sums, and where they are odd.

        The sums are the plain one, the 2-norm and a few signed ones; then norm and signed sums of
        the squashed values.
        """
        if not self._by_rows:
            return [self._hash.hexdigest(), f"{self._form} a batch"]
        if not self._has_numbers:
            return [self._hash.hexdigest(), self._form]
        numbers = *self._plain.record(), *self._squashed.record()[1:]
        odd = [self._odd.record()] if self._odd.count else []
        return [self._hash.hexdigest(), self._form, *map(describe.number, numbers), *odd]


class _Sums:
    """The sums over all rows."""

    def __init__(self) -> None:
        self._total = self._square = 0.0
        self._signed = np.zeros(COUNT)

    def add(self, sums: Sums, first: int) -> None:
        """Add those of some rows, the first of which is row `first`."""
        self._total += sums.total
        self._square += sums.square
        with np.errstate(all="ignore"):
            self._signed += of_rows(sums.signed, first)

    def record(self) -> tuple[float, ...]:
        return self._total, self._square**0.5, *map(float, self._signed)


class _Odd:
    """Where values aren't finite, or are huge, in whatever batches they come."""

    def __init__(self) -> None:
        self.count = 0
        self._places = xxhash.xxh3_64()

    def add(self, places: np.ndarray, first: int) -> None:
        """Add those of some rows, the first of which is row `first`."""
        self.count += len(places)
        self._places.update((places + np.array([first, 0, 0])).astype("<i8").tobytes())

    def record(self) -> str:
        return f"{self.count} {self._places.hexdigest()}"


@dataclass
class Streams:
    """All inputs and outputs of some passes, by name, and what the outputs predict."""

    inputs: dict[str, _Stream] = field(default_factory=dict)
    outputs: dict[str, _Stream] = field(default_factory=dict)
    predictions: xxhash.xxh3_128 = field(default_factory=xxhash.xxh3_128)

    def add(self, content: Content) -> None:
        """Add one more pass, without what is taken for padding."""
        self.predictions.update(content.predictions)
        _add(self.inputs, content.inputs)
        _add(self.outputs, content.outputs)

    def add_whole(self, content: Content) -> None:
        """Add of one more pass what `add` leaves a part of, with that part."""
        self.predictions.update(content.whole_predictions)
        _add(self.inputs, _whole(content.inputs))
        _add(self.outputs, _whole(content.outputs))

    def record(self) -> Record:
        """As it stands in the ledger."""
        return {
            "inputs": {name: stream.record() for name, stream in self.inputs.items()},
            "outputs": {name: stream.record() for name, stream in self.outputs.items()},
            "predictions": self.predictions.hexdigest(),
        }


def _add(streams: dict[str, _Stream], parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        streams.setdefault(name, _Stream(part)).add(part)


def _whole(parts: Mapping[str, Part]) -> dict[str, Part]:
    return {name: part.whole for name, part in parts.items() if part.whole is not None}
