"""One step of a training, without the lists of hashes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reference.ledger.record import Record

FIELDS = ("tokens", "model", "arguments")  # what stands among a pass's inputs, and is none


def finite(value: Any) -> float | None:
    """A number of a ledger, where it is one; None for a word and for what isn't there."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@dataclass(frozen=True)
class Given:
    """One input of a forward pass.

    Attributes:
        name: As the model calls it.
        hash: Of its values.
        shape: Its shape.
        type: Its type, as `int64`.
        constant: The one value of an input that has no other.
        ignored: How many labels a loss leaves out; None where it is no label.
        unlike_ids: In how many places the others aren't the ids; None where that isn't known.
    """

    name: str
    hash: str
    shape: tuple[int, ...]
    type: str
    constant: Any
    ignored: int | None
    unlike_ids: int | None

    @property
    def form(self) -> str:
        """Its type and the shape of one row, as the ledger has those of an evaluation."""
        return f"{self.type} {list(self.shape[1:])}"

    @property
    def is_label(self) -> bool:
        """Whether its name says that it is what is to be learnt."""
        return "label" in self.name or "target" in self.name


@dataclass
class Step:
    """What a finding asks of one step.

    Attributes:
        number: From 1.
        batch: The link, an entry for each forward pass; empty where it wasn't seen.
        rng: The link.
        mode: The link.
        outputs: The link `forward`.
        gradient: The link without its lists.
        clip: The link without its lists.
        stepped: The link `optimizer` without its list.
        rates: The distinct learning rates of this step.
        next_rates: Those that stand when the next one begins.
        chores: As `chores_record.py` has them; None in a ledger from before they were kept.
        members: How many parameters its optimizer stepped.
        moved_between: Whether the weights before it aren't those after the step before.
        changed: Whether its update changed any weight.
        unseen: Why its forward passes couldn't be recorded.
    """

    number: int
    batch: list[Record]
    rng: Record
    mode: Record
    outputs: list[Record]
    gradient: Record
    clip: Record
    stepped: Record
    rates: tuple[Any, ...]
    next_rates: tuple[Any, ...]
    kept_chores: Record | None
    members: int
    moved_between: bool = False
    changed: bool = True
    unseen: str = ""

    @property
    def chores(self) -> Record:
        """What the loop did beside the links; nothing where the ledger is older."""
        return self.kept_chores or {}

    @property
    def optimizer(self) -> int:
        """The number of the optimizer that stepped."""
        return int(self.stepped.get("index", 0))

    @property
    def rate(self) -> float | None:
        """The largest learning rate, where all are numbers."""
        numbers = [finite(rate) for rate in self.rates]
        known = [number for number in numbers if number is not None]
        return max(known) if known and len(known) == len(numbers) else None

    @property
    def training(self) -> bool | None:
        """Whether the first pass was in train mode; None where it wasn't seen."""
        training = self.mode.get("training")
        return training if isinstance(training, bool) else None

    @property
    def model(self) -> int:
        """The number of the model of the first pass."""
        return int(self.batch[0].get("model", 0)) if self.batch else 0

    @property
    def backward_passes(self) -> int:
        """How many came in this step."""
        return int(self.gradient.get("backward_passes", 0))

    @property
    def losses(self) -> list[Any]:
        """Of each pass whose loss is known, that loss."""
        return [each["loss"] for each in self.outputs if "loss" in each]

    @property
    def loss(self) -> float | None:
        """The mean of the losses of its passes; None where one is unknown or not finite."""
        numbers = [finite(loss) for loss in self.losses]
        known = [number for number in numbers if number is not None]
        return sum(known) / len(known) if known and len(known) == len(self.outputs) else None

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """For each pass something that is equal where all inputs are; empty where none is seen."""
        keys = []
        for each in self.batch:
            inputs = [(given.name, given.hash, given.shape) for given in inputs_of(each)]
            keys.append(hash((each.get("model", 0), *inputs)) if inputs else 0)
        return tuple(keys) if all(keys) else ()


def inputs_of(batch: Record) -> Iterator[Given]:
    """The inputs of one forward pass."""
    for name, value in batch.items():
        if name in FIELDS or not isinstance(value, list) or len(value) < 3:
            continue
        more = value[4] if len(value) > 4 and isinstance(value[4], dict) else {}
        yield Given(
            name,
            str(value[0]),
            tuple(value[1]),
            str(value[2]),
            value[3] if len(value) > 3 else None,
            more.get("ignored"),
            more.get("unlike_ids"),
        )


def rows_in(batch: Record) -> int:
    """How many rows the inputs of one forward pass have; 0 where none has any."""
    return max((given.shape[0] for given in inputs_of(batch) if given.shape), default=0)
