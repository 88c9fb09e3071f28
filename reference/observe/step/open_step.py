"""One step as it is being seen: from its first forward pass to its optimizer's step.

`observe.py` fills it from PyTorch's hooks; `record()` is the line in the ledger.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.evaluation import Prediction
from reference.observe.step.optimizer_record import Stepped
from reference.observe.tensors.parameters import Parameters, first_parameter


@dataclass
class Snapshot:
    """What a forward pass starts from."""

    rng: dict[str, str]
    mode: Record
    weights: Record


@dataclass(eq=False)
class Forward:
    """One forward pass with gradients on, of a whole model."""

    model: int
    snapshot: Snapshot | None  # None: an earlier pass of the step has it
    module: "weakref.ref[torch.nn.Module]"
    inputs: dict[str, Tensor] = field(default_factory=dict)
    batch: Record = field(default_factory=dict)
    outputs: Record = field(default_factory=dict)
    evaluated: Prediction | None = None
    training: bool = True
    used: bool | None = False  # backpropagated; None: it can't be told
    reached: bool = False  # by autograd, which need not accumulate anything
    memory: set[int] = field(default_factory=set)  # where its outputs lie
    graphs: "list[weakref.ref[Reach]]" = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether it can't become part of a step any more: its graph is gone."""
        done = self.used is False and not self.reached
        return done and all(graph() is None for graph in self.graphs)


class Reach:
    """A hook on an output's node in the graph, which holds it as long as it lives itself.

    On the node and not on the tensor: `torch.save` warns of hooks on a tensor.
    """

    def __init__(self, tell: Callable[[Forward], None], forward: Forward) -> None:
        self._tell, self._forward = tell, forward

    def __call__(self, _gradients: Any) -> None:
        self._tell(self._forward)

    @classmethod
    def watch(cls, tell: Callable[[Forward], None], forward: Forward, tensor: Tensor) -> None:
        """Of a view also what it is a view of: changed in place, it gets another node."""
        for one in (tensor, tensor._base if tensor._is_view() else None):
            if one is not None and one.grad_fn is not None:
                hook = cls(tell, forward)
                forward.graphs.append(weakref.ref(hook))
                one.grad_fn.register_prehook(hook)


@dataclass(eq=False)
class Window:
    """The open step."""

    forwards: list[Forward] = field(default_factory=list)
    backward_passes: int = 0
    norms_after: list[float] = field(default_factory=list)  # after each backward pass
    gradient: Record | None = None
    reading: Callable[[], tuple[list[str], list[float]] | None] | None = None  # for `set_clip`
    clip: Record | None = None
    closure_calls: int = 0
    stepped: Stepped | None = None
    optimizer: Record | None = None
    learning_rate: list[Any] = field(default_factory=list)
    drawn: dict[str, str] = field(default_factory=dict)  # the generators when the optimizer steps
    update: Record | None = None
    unseen: str = ""  # why its forward passes aren't known

    def use(self, forward: Forward) -> None:
        """It is part of this step, also where it began before the last one."""
        forward.used = True
        if not any(f is forward for f in self.forwards):
            self.forwards.append(forward)

    def settled(self) -> bool:
        """Whether what the step starts from is known: some pass was backpropagated."""
        return any(f.used for f in self.forwards)

    def used(self) -> list[Forward]:
        return [f for f in self.forwards if f.used or f.used is None]

    def take_unused(self) -> list[Forward]:
        """The passes that turned out to be no part of the step; they leave it."""
        unused = [f for f in self.forwards if f.used is False]
        self.forwards = [f for f in self.forwards if f.used is not False]
        return unused

    def snapshot(self) -> Snapshot | None:
        """That of the first pass that counts."""
        if not self.used():
            return None
        first = self.forwards.index(self.used()[0])
        found = [f.snapshot for f in self.forwards[: first + 1] if f.snapshot is not None]
        return found[-1] if found else None

    def set_gradient(self, hashes: list[str], norms: list[float], *, again: bool) -> None:
        """After a backward pass, or again in the same one: what is accumulated."""
        if again:
            self.norms_after.pop()
        else:
            self.backward_passes += 1
        self.gradient = _gradients(hashes, norms)
        self.norms_after.append(self.gradient["norm"])

    def begin_step(self) -> None:
        """Before an optimizer's step: passes that autograd reached have an effect, if any has."""
        if not self.used():
            for forward in self.forwards:
                forward.used = None if forward.reached else forward.used

    def forget_step(self) -> None:
        """The optimizer's step raised."""
        self.stepped = self.reading = self.clip = self.optimizer = None
        self.closure_calls = 0

    def take_over(self) -> list[Forward]:
        """The passes at its beginning that are over without having been part of any step."""
        count = next((i for i, f in enumerate(self.forwards) if not f.is_over), len(self.forwards))
        over, self.forwards = self.forwards[:count], self.forwards[count:]
        return over

    def set_clip(self, hashes: list[str], norms: list[float]) -> None:
        """As the optimizer gets them; after each call where it calls a closure."""
        found = _gradients(hashes, norms)
        if self.clip is not None and self.closure_calls > 1:
            found["hash"] = combine([self.clip["hash"], found["hash"]])
        self.clip = found

    def record(self, number: int, parameters: Parameters, before: Record | None) -> Record:
        """The line of this step; what wasn't seen is absent from it."""
        assert self.stepped is not None
        record: Record = {"kind": "step", "step": number}
        snapshot = self.snapshot()
        if self.unseen:
            record["unseen"] = self.unseen
        elif snapshot is not None:
            used = self.used()
            record["batch"] = [_of_model(f.model, f.batch) for f in used]
            record["rng"] = {
                name: [state, self.drawn.get(name, state) != state]
                for name, state in snapshot.rng.items()
            }
            record["mode"] = snapshot.mode
            record["weights"] = _unless_equal(snapshot.weights, before)
            record["forward"] = [_of_model(f.model, f.outputs) for f in used]
        elif self.backward_passes == 0:
            # A second optimizer on the same gradients: no forward pass is its own.
            record.update({"batch": [], "rng": {}, "mode": {}, "forward": []})
            if before is not None:
                record["weights"] = _unless_equal(before, before)
        if self.gradient is not None:
            passes = {"backward_passes": self.backward_passes}
            if self.backward_passes > 1:
                passes["norms_after"] = self.norms_after  # type: ignore[assignment]
            record["gradient"] = {**passes, **self.gradient}
        elif snapshot is None and self.backward_passes == 0 and not self.unseen:
            record["gradient"] = {"backward_passes": 0}
        if self.clip is not None and parameters.names:  # else there is nothing that was clipped
            record["clip"] = _clip(self.clip, self.gradient)
            if self.closure_calls:
                record["clip"]["closure_calls"] = self.closure_calls
        record["optimizer"] = self.optimizer
        if parameters.names:
            record["update"] = self.update
        record["schedule"] = {
            "learning_rate": self.learning_rate,
            "next_learning_rate": self.stepped.learning_rates(),
        }
        # No link: a loop may zero later, before its next backward pass, and be the same run.
        grads = [t.grad for t in parameters.tensors() if t is not None]
        record["zeroed"] = all(g is None or not bool(g.any()) for g in grads)
        return record


def _of_model(model: int, described: Record) -> Record:
    """The model's number stands beside the names of what it took or gave."""
    return {"model": model, **described} if model else described


def _gradients(hashes: list[str], norms: list[float]) -> Record:
    total = sum(norm * norm for norm in norms) ** 0.5
    return {
        "norm": describe.number(total),
        "hash": combine(hashes),
        "tensors": " ".join(hashes),
        "norms": " ".join(f"{norm:.7g}" for norm in norms),
    }


def _unless_equal(weights: Record, before: Record | None) -> Record:
    """Weights that nothing touched since the last update need no list of tensors."""
    same = before is not None and weights["hash"] == before["hash"]
    record = {"hash": weights["hash"]} if same else dict(weights)
    if "buffers" in weights:
        kept, earlier = weights["buffers"], (before or {}).get("buffers")
        record["buffers"] = {"hash": kept["hash"]} if kept == earlier else kept
    return record


def _clip(clip: Record, gradient: Record | None) -> Record:
    """With the factor between the two norms, and no list of tensors where nothing was touched."""
    if gradient is None:
        return {**clip, "factor": None}
    before, after = float(gradient["norm"]), float(clip["norm"])
    factor = describe.number(after / before) if before > 0 else None
    if clip["hash"] == gradient["hash"]:
        return {"norm": clip["norm"], "hash": clip["hash"], "factor": 1.0}
    return {**clip, "factor": factor}


def current_device(module: torch.nn.Module) -> str:
    """The kind of device that a module's first parameter is on."""
    first = first_parameter(module)
    return first.device.type if first is not None else "cpu"
