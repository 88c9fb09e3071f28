"""A loss that isn't a part of a model, as an evaluation hashes it: what it is given, and makes.

Its targets are rows as the model's are, so that it doesn't matter how they were batched.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.content import HALVES, Content, part_of
from reference.observe.step.rows import Rows
from reference.observe.torch_internals import version

# What a loss is given that has an entry for each class, and none for each row.
OF_CLASSES = ("weight", "pos_weight")


class Held:
    """A tensor as it is now, looked at later, if nothing writes into it until then."""

    def __init__(self, tensor: Tensor) -> None:
        has_version = not tensor.is_inference()
        self._tensor = tensor.detach() if has_version else tensor.detach().clone()
        self._version = version(self._tensor) if has_version else None

    def tensor(self) -> Tensor | None:
        """The tensor; None where it was written into."""
        written = self._version is not None and version(self._tensor) != self._version
        return None if written else self._tensor


@dataclass(frozen=True)
class Loss:
    """A loss that was computed of what a model gave.

    Attributes:
        name: Of its function, or of its module's class.
        given: What it was given, by name, but for what the model gave.
        plain: What it was given beside, that is no tensor.
        made: What it made, by what follows the loss's name.
        first: The name of its first argument, which is computed of what the model gave.
    """

    name: str
    given: Mapping[str, Held]
    plain: Record
    made: Mapping[str, Held]
    first: str

    def of_rows(self) -> int:
        """How many entries it is given."""
        every = [held.tensor() for held in self.given.values()]
        return max((len(t) for t in every if t is not None and t.dim()), default=0)

    def content(self, last: Content | None, number: int = 1) -> Content:
        """What an evaluation hashes of it.

        Args:
            last: The pass that it follows, whose rows are padded.
            number: Of this loss among those of its name that follow the pass.
        """
        called = self.name if number == 1 else f"{self.name} {number}"
        content = Content(None, losses={called})
        content.arguments = {f"{called}.{name}": value for name, value in self.plain.items()}
        own = last.rows.own if last is not None and last.rows is not None else None
        entries = self.of_rows() or None
        for name, held in self.given.items():
            tensor, path = held.tensor(), f"{called}.{name}"
            if tensor is None:
                content.not_looked_into.add(f"{path}, written into since")
                continue
            size = None if name in OF_CLASSES else entries
            part = _by_rows(tensor, own, size)
            is_real = tensor.is_floating_point() or tensor.is_complex()
            if is_real and name == self.first:
                content.outputs[path] = part_of(*part)
                continue
            content.inputs[path] = part_of(*part)
            if is_real:  # perhaps of another model
                content.computed.add(path)
        for name, held in self.made.items():
            tensor = held.tensor()
            if tensor is not None:
                wide = tensor.float() if tensor.dtype in HALVES else tensor
                size = entries
                content.outputs[f"{called}{name}"] = part_of(*_by_rows(wide, own, size))
        return content


def loss_of(
    name: str,
    given: Mapping[str, Tensor],
    plain: Record,
    made: Mapping[str, Tensor],
    shared: Mapping[str, bool],
) -> Loss:
    """A loss as it was computed just now.

    Args:
        name: Of its function, or of its module's class.
        given: All tensors that it was given, by name.
        plain: What it was given beside.
        made: What it made, by path in what it gave; '' for all of it.
        shared: Which of those given a model's own outputs are, or lie in them.
    """
    own = {place: Held(t) for place, t in given.items() if t.dim() and not shared[place]}
    outputs = {f"{'.' * bool(path)}{path}": Held(t) for path, t in made.items()}
    return Loss(name, own, plain, outputs, next(iter(given), ""))


def _by_rows(tensor: Tensor, own: Tensor | None, size: int | None) -> tuple[Tensor, Rows | None]:
    """A tensor without its padding, and its rows: those of the model, or their positions.

    Args:
        tensor: As the loss has it: by rows, by positions, or with all positions in one dimension.
        own: Which positions of each of the model's rows are no padding.
        size: How many entries the loss is given.
    """
    if tensor.dim() == 0 or size is None or tensor.layout != torch.strided:
        return tensor, None
    # Next tokens are learnt from all positions but the last.
    for mask in () if own is None else (own, own[:, 1:], own[:, :-1]):
        at = mask.to(device=tensor.device, dtype=torch.bool)
        if tensor.shape[:2] == at.shape:
            values = tensor[at]
            return values, Rows(len(values))
        if len(tensor) == at.numel():
            values = tensor[at.reshape(-1)]
            return values, Rows(len(values))
    fits = len(tensor) == size and (own is None or len(tensor) == len(own))
    return tensor, Rows(size) if fits else None
