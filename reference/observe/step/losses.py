"""Which number of a forward pass is the script's loss: the one from which the gradients come.

A model that is given labels computes a loss, and a script may learn from its logits instead (DPO),
or from a sum of which it is one part. Autograd tells: it comes to the loss with a gradient of 1, or
with what a scale and a number of accumulated batches make of that.
"""

import math
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.describe import OUTPUT_FIELDS, Number, beside, number
from reference.observe.torch_internals import without_modes

MOST_ODD = 64  # batches that are accumulated, apart from powers of two


class _Candidate:
    """A number that may be the loss, and the gradient with which autograd came to it."""

    def __init__(self, name: str, tensor: Tensor) -> None:
        self.name = name
        self.value: Number = number(tensor.detach())
        self.has_graph = tensor.grad_fn is not None
        self.gradient: float | None = None
        self._precision = 4 * torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0.0
        self._place = tensor.output_nr
        if tensor.grad_fn is not None:
            tensor.grad_fn.register_prehook(self._take)

    def _take(self, gradients: Any) -> None:
        """Called by autograd, into which no error may go."""
        try:
            gradient = gradients[self._place]
            if gradient is not None:
                with without_modes():
                    self.gradient = float(gradient)
        except Exception:
            self.gradient = math.nan  # nobody can tell: it isn't called the loss

    @property
    def is_loss(self) -> bool:
        """Whether the gradient is that of a loss: a power of two by a small odd number."""
        if self.gradient is None or not 0 < self.gradient < math.inf:
            return False
        powers = (math.log2(self.gradient * odd) for odd in range(1, MOST_ODD, 2))
        return any(abs(power - round(power)) <= self._precision for power in powers)


class Losses:
    """The numbers of one forward pass that may be its loss: the model's own, and loss modules'."""

    def __init__(self) -> None:
        self._own: _Candidate | None = None
        self._modules: list[_Candidate] = []

    def add_own(self, name: str, tensor: Tensor) -> None:
        """The number that the model gives by this name; a complex one is no loss."""
        if not tensor.is_complex():
            self._own = _Candidate(name, tensor)

    def add_module(self, name: str, tensor: Tensor) -> None:
        """What a loss module makes of the model's outputs; a complex number is no loss."""
        if not tensor.is_complex():
            self._modules.append(_Candidate(name, tensor))

    def scale(self) -> float | None:
        """The gradient with which autograd came to the script's loss; None where none is known."""
        own = self._own
        if own is not None and own.is_loss:
            return own.gradient
        reached = [each for each in self._modules if each.gradient is not None]
        return reached[0].gradient if len(reached) == 1 and reached[0].is_loss else None

    def told(self, outputs: Record) -> Record:
        """The outputs, among them as `loss` only what is the script's own.

        Args:
            outputs: As `describe.forward` gives them: with the model's own number as `loss`.
        """
        own = self._own
        told = dict(outputs)
        if own is not None and own.has_graph and not own.is_loss and "loss" in told:
            told[beside(own.name, "loss", *OUTPUT_FIELDS)] = told.pop("loss")
        reached = [each for each in self._modules if each.gradient is not None]
        if "loss" not in told and len(reached) == 1 and reached[0].is_loss:
            told["loss"] = reached[0].value
            return told
        for each in reached:
            told.setdefault(beside(each.name, "loss", *OUTPUT_FIELDS), each.value)
        return told
