"""One step as it is being seen: from its first forward pass to its optimizer's step.

The hooks fill it; `record()` makes the line of it in the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reference.ledger.combined_hash import combine, combine_listed
from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.chores import Chores
from reference.observe.step.forward_pass import ForwardPass, Snapshot
from reference.observe.step.left_gradients import is_there
from reference.observe.step.optimizer_record import OptimizerAtStep
from reference.observe.tensors.listed import Gradients
from reference.observe.tensors.parameters import Parameters


@dataclass(eq=False)
class OpenStep:
    """A step that isn't written yet."""

    forwards: list[ForwardPass] = field(default_factory=list)
    backward_passes: int = 0
    norms_after: list[Any] = field(default_factory=list)  # after each backward pass
    gradient: Gradients | None = None
    # Waits for the gradients that are being read, for `set_clip`; None if they were changed.
    reading: Callable[[], Gradients | None] | None = None
    clips: list[Gradients] = field(default_factory=list)  # one for each call of a closure
    closure_calls: int = 0
    stepped: OptimizerAtStep | None = None
    optimizer: Record | None = None
    learning_rate: list[Any] = field(default_factory=list)
    drawn: dict[str, str] = field(default_factory=dict)  # the generators when the optimizer steps
    update: Record | None = None
    unseen: str = ""  # why its forward passes aren't known
    uncalled: int = 0  # parameters that it moves, and that none of its forward passes used
    weights: Record | None = None  # before the step, where no forward pass used some of them
    chores: Chores = field(default_factory=Chores)

    def use(self, forward: ForwardPass) -> None:
        """A pass is part of this step, also where it began before the last one."""
        forward.used = True
        if not any(f is forward for f in self.forwards):
            self.forwards.append(forward)

    def is_settled(self) -> bool:
        """Whether what the step starts from is known: some pass was backpropagated."""
        return any(f.used for f in self.forwards)

    def used(self) -> list[ForwardPass]:
        """The passes that the step is made of, as far as can be told."""
        return [f for f in self.forwards if f.used or f.used is None]

    def take_unused(self) -> list[ForwardPass]:
        """The passes that turned out to be no part of the step; they leave it."""
        unused = [f for f in self.forwards if f.used is False]
        self.forwards = [f for f in self.forwards if f.used is not False]
        return unused

    def take_over(self) -> list[ForwardPass]:
        """The passes at its beginning that are over without having been part of any step."""
        count = next((i for i, f in enumerate(self.forwards) if not f.is_over), len(self.forwards))
        over, self.forwards = self.forwards[:count], self.forwards[count:]
        return over

    def snapshot(self) -> Snapshot | None:
        """That of the first pass that counts."""
        if not self.used():
            return None
        first = self.forwards.index(self.used()[0])
        taken = [f.snapshot for f in self.forwards[: first + 1] if f.snapshot is not None]
        return taken[-1] if taken else None

    def has_no_pass(self) -> bool:
        """Whether nothing led to this step but the gradients of the one before."""
        return not self.used() and self.backward_passes == 0

    def set_gradient(self, gradient: Gradients, *, again: bool) -> None:
        """What is accumulated after a backward pass; `again` where it is still the same one."""
        if again:
            self.norms_after.pop()
        else:
            self.backward_passes += 1
        self.gradient = gradient
        self.norms_after.append(gradient.record["norm"])

    def begin_step(self) -> None:
        """Before an optimizer's step: passes that autograd reached have an effect, if any has."""
        if not self.used():
            for forward in self.forwards:
                forward.used = None if forward.reached else forward.used

    def forget_step(self) -> None:
        """The optimizer's step raised."""
        self.stepped = self.reading = self.optimizer = None
        self.clips = []
        self.closure_calls = 0

    def take_optimizer(self, stepped: OptimizerAtStep) -> None:
        """The optimizer as it is about to step."""
        self.stepped = stepped
        self.optimizer = stepped.describe()
        self.learning_rate = stepped.learning_rates()

    def record(self, number: int, parameters: Parameters, before: Record | None) -> Record:
        """The line of this step; what wasn't seen is absent from it.

        Args:
            number: of the step, from 1.
            parameters: of all models that were seen.
            before: the weights after the update before, if there was one.
        """
        assert self.stepped is not None
        record: Record = {"kind": "step", "step": number, **self._of_forward_passes(before)}
        gradient = self._of_backward_passes()
        if gradient is not None:
            record["gradient"] = gradient
        if self.clips and parameters.count:  # else there is nothing that was clipped
            record["clip"] = _clip(self.clips, self.gradient)
            if self.closure_calls:
                record["clip"]["closure_calls"] = self.closure_calls
        record["optimizer"] = self.optimizer
        if parameters.count:
            record["update"] = self.update
        record["schedule"] = {
            "learning_rate": self.learning_rate,
            "next_learning_rate": self.stepped.learning_rates(),
        }
        # No link: a loop may zero later, before its next backward pass, and be the same run.
        grads = [tensor.grad for tensor in parameters.living().values()]
        record["zeroed"] = not any(map(is_there, grads))
        used = self.used()
        scales = [forward.losses.scale() for forward in used]
        record["chores"] = self.chores.record(scales, [forward.padded for forward in used])
        inside = [f.inside.record() if f.inside is not None else None for f in self.used()]
        if "forward" in record and any(inside):
            record["inside"] = inside
        return {**record, "uncalled": self.uncalled} if self.uncalled else record

    def _of_forward_passes(self, before: Record | None) -> Record:
        """The links from `batch` to `forward`."""
        snapshot = self.snapshot()
        if self.unseen:
            weights = {"weights": _unless_equal(self.weights, before)} if self.weights else {}
            return {"unseen": self.unseen, **weights}
        if snapshot is not None:
            used = self.used()
            rng = {
                name: [state, self.drawn.get(name, state) != state]
                for name, state in snapshot.rng.items()
            }
            return {
                "batch": [_of_model(f.model, f.batch) for f in used],
                "rng": rng,
                "mode": _mode(snapshot.mode, used[1:]),
                "weights": _unless_equal(_with_later(snapshot.weights, self.weights), before),
                "forward": [_of_model(f.model, f.told()) for f in used],
            }
        if self.backward_passes:
            return {}
        # A second optimizer on the same gradients: no forward pass is its own.
        record: Record = {"batch": [], "rng": {}, "mode": {}, "forward": []}
        now = self.weights or before
        return record if not now else {**record, "weights": _unless_equal(now, before)}

    def _of_backward_passes(self) -> Record | None:
        """The link `gradient`."""
        if self.gradient is not None:
            passes: Record = {"backward_passes": self.backward_passes}
            if self.backward_passes > 1:
                passes["norms_after"] = self.norms_after
            return {**passes, **self.gradient.record}
        if self.snapshot() is None and self.backward_passes == 0 and not self.unseen:
            return {"backward_passes": 0}
        return None


def _mode(first: Record, later: "list[ForwardPass]") -> Record:
    """That of the first pass, and of the later ones where it isn't the same."""
    modes = [_in_short(each.mode) for each in later]
    return first if all(m == _in_short(first) for m in modes) else {**first, "later": modes}


def _in_short(mode: Record) -> Record:
    return {name: mode[name] for name in ("training", "autocast") if name in mode}


def _of_model(model: int, described: Record) -> Record:
    """The model's number stands beside the names of what it took or gave."""
    return {"model": model, **described} if model else described


def _with_later(weights: Record, later: Record | None) -> Record:
    """Weights before the step, with those that were only known when its optimizer stepped."""
    if later is None:
        return weights
    known = str(weights["tensors"]).split()
    tensors = " ".join([*known, *str(later["tensors"]).split()[len(known) :]])
    return {**weights, "hash": combine_listed(tensors), "tensors": tensors}


def _unless_equal(weights: Record, before: Record | None) -> Record:
    """Weights that nothing touched since the last update need no list of tensors."""
    same = before is not None and weights["hash"] == before["hash"]
    record = {"hash": weights["hash"]} if same else dict(weights)
    if "buffers" in weights:
        buffers, earlier = weights["buffers"], (before or {}).get("buffers")
        record["buffers"] = {"hash": buffers["hash"]} if buffers == earlier else buffers
    return record


def _clip(calls: list[Gradients], gradient: Gradients | None) -> Record:
    """With the factor between the two norms, and without the lists that follow from it."""
    clip = calls[-1].record
    for earlier in calls[:-1]:
        clip = {**clip, "hash": combine([earlier.record["hash"], clip["hash"]])}
    if gradient is None:
        return {**clip, "factor": None}
    if clip["hash"] == gradient.record["hash"]:
        return {"norm": clip["norm"], "hash": clip["hash"], "factor": 1.0}
    before, after = float(gradient.record["norm"]), float(clip["norm"])
    if before == 0:
        return {**clip, "factor": None}
    factor = after / before
    if calls[-1].are(gradient, factor):
        clip = {name: clip[name] for name in clip if name != "norms"}
    return {**clip, "factor": describe.number(factor)}
