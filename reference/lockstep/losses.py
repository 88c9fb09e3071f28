"""One call of a loss function: its targets and settings, by the names of its parameters."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.packing import comparable, described, pack
from reference.lockstep.torch_hooks import Call
from reference.lockstep.wire import Bytes
from reference.observe.step.tensors_in import PLAIN


@dataclass
class LossCall:
    """A loss that is computed.

    Attributes:
        name: Of the function in `torch.nn.functional`.
        tensors: What it is given beside its input and that no model made: targets, class weights.
        plain: Numbers, flags and texts, with the function's defaults.
        value: What it gives, where that is one number.
        hash: Of what it gives.
    """

    name: str
    function: Call
    bound: inspect.BoundArguments
    tensors: dict[str, Tensor]
    plain: Record
    value: float | None = None
    hash: str = ""
    _packed: tuple[Record, dict[str, Bytes]] | None = field(default=None, repr=False)

    @property
    def rows(self) -> torch.Size:
        """The first dimension of its input."""
        given = next(iter(self.bound.arguments.values()))
        return given.shape[:1] if isinstance(given, Tensor) else torch.Size()

    def run(self) -> Any:
        """Compute it."""
        return self.function(*self.bound.args, **self.bound.kwargs)

    def take(self, result: Any) -> None:
        """Note what it gives."""
        if isinstance(result, Tensor):
            plain = comparable({"": result})[""]
            self.value = plain.item() if plain.numel() == 1 else None
            self.hash = described(plain)["hash"]

    def pack(self) -> tuple[Record, dict[str, Bytes]]:
        """As it is sent."""
        records, pieces = pack(self.tensors)
        record = {"name": self.name, "tensors": records, "plain": self.plain}
        return {**record, "value": self.value, "hash": self.hash}, pieces

    def with_plain(self, plain: Mapping[str, Any]) -> None:
        """Have it called with these settings."""
        for name, value in plain.items():
            if name in self.bound.signature.parameters:
                self.bound.arguments[name] = value

    def with_tensor(self, name: str, tensor: Tensor | None) -> None:
        """Have it called with this target."""
        self.bound.arguments[name] = tensor


def loss_call(
    name: str, function: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> LossCall:
    """A call that is to be made."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    given = list(bound.arguments.items())
    tensors = {n: v for n, v in given[1:] if isinstance(v, Tensor) and v.grad_fn is None}
    plain = {n: v for n, v in given if type(v) in PLAIN and v is not None}
    return LossCall(name, function, bound, tensors, plain)
