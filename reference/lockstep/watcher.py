"""What both sides know of their own training: models, the open step, what a pass begins with."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.lockstep.evaluations import OwnEvaluations
from reference.lockstep.model_parts import ModelParts
from reference.lockstep.other_models import OtherModels
from reference.observe.step import describe
from reference.observe.step.arguments import Arguments, arguments_of
from reference.observe.step.optimizer_record import HOW
from reference.observe.step.tensors_in import tensors_in
from reference.observe.tensors.first_parameter import first_parameter
from reference.observe.tensors.parameters import Parameters
from reference.observe.tensors.shards import local_parts
from reference.observe.torch_internals import modules_of

NO_GROUP = -1
OF_A_SCHEDULE = ("initial_lr", "swa_lr")


@dataclass
class OpenPass:
    """A forward pass that is going on, or was the last one.

    Attributes:
        number: In its step, from 1.
        module: Whose call it is.
        model: Its number, in the order of first calls.
        record: The parameters that nobody knew before, if any.
        called: The number of the module among all that were called.
        parts: Of the module.
        given: Its arguments, by name.
        inputs: Tensors that no pass has made.
    """

    number: int
    module: torch.nn.Module
    model: int
    record: Record | None
    called: int
    parts: ModelParts
    given: Arguments
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor] = field(default_factory=dict)


class Watcher:
    """The models of one training, and how far its open step has come.

    Args:
        write: Gets the record of each evaluation, when the next step begins.
    """

    def __init__(self, write: Callable[[Record], None]) -> None:
        self.parameters = Parameters()
        self.evaluations = OwnEvaluations(write)
        self.others = OtherModels()
        self._trained: dict[int, weakref.ref[torch.nn.Module]] = {}  # by id, in this step
        self.step = 1
        self.passes = 0
        self.backwards = 0
        # The gradients' hashes before and after each clip, of those that are watched.
        self.clipped: list[tuple[str, str]] = []
        self.rows: list[int] = []  # of each of the step's passes
        self._called: list[ModelParts] = []

    def begin(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: Any) -> OpenPass:
        """A forward pass begins."""
        if self.passes == 0:
            self.evaluations.close()
        self._trained[id(module)] = weakref.ref(module)
        model, record = self.parameters.watch(module, list(modules_of(module)))
        called = next((i for i, p in enumerate(self._called) if p.is_of(module)), None)
        if called is None:
            called = len(self._called)
            self._called.append(ModelParts(module))
        given = arguments_of(module, args, kwargs)
        inputs = {name: t for name, t in given.tensors.items() if t.dim() and t.grad_fn is None}
        self.passes += 1
        self.rows.append(next((len(tensor) for tensor in inputs.values()), 0))
        parts = self._called[called]
        return OpenPass(self.passes, module, model, record, called, parts, given, inputs)

    def end_step(self) -> None:
        """The optimizer has stepped."""
        self.parameters.keep()
        for module in [reference() for reference in self._trained.values()]:
            if module is not None:
                self.evaluations.take_step_of(module)
        self._trained = {}
        self.step += 1
        self.passes = self.backwards = 0
        self.rows, self.clipped = [], []

    def end_backward(self) -> None:
        """A backward pass is over; what was clipped before is part of a sum."""
        self.backwards += 1
        self.clipped = []

    @contextmanager
    def clipping(self, *, is_watched: bool) -> Iterator[None]:
        """Gradients are clipped within it: note what they were before and after."""
        if not is_watched:
            yield
            return
        before = self.parameters.gradients().record["tensors"]
        yield
        self.clipped.append((before, self.parameters.gradients().record["tensors"]))

    def trains(self, module: torch.nn.Module) -> bool:
        """Whether the module is one whose parameters are known: it was called with gradients."""
        first = first_parameter(module)
        return first is None or self.parameters.place(first) is not None

    def tensor(self, place: int) -> Tensor:
        """The parameter of a place."""
        return self.parameters.living()[place]

    def frozen(self) -> list[int]:
        """The places of parameters that aren't to be trained."""
        return [i for i, tensor in self.parameters.living().items() if not tensor.requires_grad]


def outputs_of(output: Any) -> dict[str, Tensor]:
    """A pass's outputs by name; the only one is called `output`."""
    return local_parts({name or "output": t for name, t in tensors_in("", output).items()})


def autocast_now(module: torch.nn.Module) -> str:
    """The type that autocast computes in by now, or 'off'."""
    return describe.autocast(module)


def groups_of(optimizer: Optimizer, parameters: Parameters) -> Record:
    """What an optimizer does to each parameter: distinct groups, and which parameter has which."""
    groups: list[Record] = []
    of: dict[int, int] = {}
    for group in optimizer.param_groups:
        groups.append({k: _plain(v) for k, v in group.items() if _is_hyper(k)})
        for tensor in group["params"]:
            place = parameters.place(tensor)
            if place is not None:
                of[place] = len(groups) - 1
    living = parameters.living()
    return {
        "class": type(optimizer).__name__,
        "module": type(optimizer).__module__,
        "groups": groups,
        "of": [of.get(place, NO_GROUP) for place in range(parameters.count)],
        "none": [place for place, tensor in living.items() if tensor.grad is None],
    }


def _is_hyper(key: str) -> bool:
    return key != "params" and key not in OF_A_SCHEDULE


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item() if value.numel() == 1 else describe.dense(value).tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else type(value).__name__


def is_how(key: str) -> bool:
    """Whether it says how a step is computed, and not what."""
    return key in HOW
