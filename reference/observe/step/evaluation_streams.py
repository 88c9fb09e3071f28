"""What all passes of an evaluation take and give, hashed as it comes, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xxhash

from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.content import Content, Part
from reference.observe.step.projections import COUNT, of_rows


class _Stream:
    """One input or output of all passes of an evaluation."""

    def __init__(self, part: Part) -> None:
        self._hash = xxhash.xxh3_64()
        self._form = part.form
        self._by_rows = True
        self._has_numbers = part.numbers is not None
        self._total = self._square = 0.0
        self._signed = np.zeros(COUNT)
        self._count = 0

    def add(self, part: Part) -> None:
        self._hash.update(part.values)
        if part.form != self._form:
            self._hash.update(part.form.encode())
            self._by_rows = False
        self._by_rows = self._by_rows and part.by_rows
        numbers = part.numbers
        if self._has_numbers and numbers is not None:
            self._total += numbers.total
            self._square += numbers.square
            self._signed += of_rows(numbers.signed, self._count)
            self._count += len(numbers.signed)

    def record(self) -> list[object]:
        """Hash, form, and of numbers by rows their sum, 2-norm, and a few signed sums."""
        if not self._by_rows:
            return [self._hash.hexdigest(), f"{self._form} a batch"]
        if not self._has_numbers:
            return [self._hash.hexdigest(), self._form]
        numbers = self._total, self._square**0.5, *map(float, self._signed)
        return [self._hash.hexdigest(), self._form, *map(describe.number, numbers)]


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
