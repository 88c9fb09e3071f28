"""One forward pass of a whole model with gradients on, and whether autograd comes back to it."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe import torch_internals
from reference.observe.step.content import Content
from reference.observe.step.inside import InsidePass
from reference.observe.step.loss_content import Loss
from reference.observe.step.losses import Losses
from reference.observe.tensors.output_memory import OutputMemory
from reference.observe.tensors.seen_models import SeenModel


@dataclass
class Snapshot:
    """What a step starts from: the links `rng`, `mode` and `weights`."""

    rng: dict[str, str]
    mode: Record
    weights: Record


@dataclass(eq=False)
class ForwardPass:
    """One forward pass with gradients on, of a whole model."""

    model: int
    snapshot: Snapshot | None  # None: an earlier pass of the step has it
    module: "weakref.ref[torch.nn.Module]"
    inputs: dict[str, Tensor] = field(default_factory=dict)
    batch: Record = field(default_factory=dict)
    outputs: Record = field(default_factory=dict)
    mode: Record = field(default_factory=dict)
    seen: SeenModel | None = None
    content: Content | None = None  # None: it can't be recorded
    inside: InsidePass | None = None  # the calls in it, where they are asked for
    training: bool = True
    used: bool | None = False  # backpropagated; None: it can't be told
    reached: bool = False  # by autograd, which need not accumulate anything
    memory: OutputMemory = field(default_factory=OutputMemory)  # where its outputs lie
    graphs: "list[weakref.ref[OutputHook]]" = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    losses_made: list[Loss] = field(default_factory=list)  # outside of the model
    padded: int = 0  # places of padding that no mask marks

    def told(self) -> Record:
        """Its outputs, with the script's own loss, once a backward pass has told which that is."""
        return self.losses.told(self.outputs) if self.used else self.outputs

    @property
    def is_over(self) -> bool:
        """Whether it can't become part of a step any more: its graph is gone."""
        unused = self.used is False and not self.reached
        return unused and all(graph() is None for graph in self.graphs)


class OutputHook:
    """Says that autograd comes to an output of a forward pass.

    It hangs on the output's node in the graph, and lives as long as the node does. Not on the
    tensor, since `torch.save` warns of a tensor's hooks.
    """

    def __init__(self, reach: Callable[[ForwardPass], None], forward: ForwardPass) -> None:
        self._reach, self._forward = reach, forward

    def __call__(self, _gradients: Any) -> None:
        """Called by autograd, before it goes through the node."""
        self._reach(self._forward)

    @classmethod
    def watch(
        cls, reach: Callable[[ForwardPass], None], forward: ForwardPass, output: Tensor
    ) -> None:
        """Have `reach(forward)` called when autograd comes to `output`.

        Of a view also what it is a view of: changed in place, it gets another node.
        """
        for tensor in (output, torch_internals.viewed(output)):
            if tensor is not None and tensor.grad_fn is not None:
                hook = cls(reach, forward)
                forward.graphs.append(weakref.ref(hook))
                tensor.grad_fn.register_prehook(hook)
