"""What a model is given: A's inputs and arguments in B's place."""

from typing import Any

import torch
from torch import Tensor

from reference.lockstep.arguments_put import MISSING, CallArguments
from reference.lockstep.batch_differences import CONTENT, TARGETS
from reference.lockstep.input_facts import BatchFacts
from reference.lockstep.notes import Notes
from reference.lockstep.packing import described, is_plain, is_readable, is_sent, unpack
from reference.lockstep.put_batch import LoaderPlacer
from reference.lockstep.put_modes import Soft, same
from reference.lockstep.stream import Event
from reference.lockstep.watcher import OpenPass, Watcher


class InputPlacer:
    """Compares what two calls are given, and puts A's in place."""

    def __init__(self, watcher: Watcher, notes: Notes, loaders: LoaderPlacer, soft: Soft) -> None:
        self._watcher, self._notes = watcher, notes
        self._loaders, self._soft = loaders, soft
        self._facts = BatchFacts()
        self._direct = self._targets = False

    def end_step(self) -> None:
        """The optimizer has stepped."""
        self._direct = self._targets = False

    def note_content(self) -> None:
        """The script has ended: whether both have had the same rows, in whatever order."""
        unlike = self._facts.unlike()
        if unlike is not None:
            name, *counts = unlike
            step = max(1, self._watcher.step - 1)
            self._notes.unequal(step, "batch", CONTENT, *counts, name=name)

    @property
    def is_without_targets(self) -> bool:
        """Whether rows were put in place in this step where the model is called, and no labels."""
        return self._direct and not self._targets

    def inputs(
        self, event: Event, begun: OpenPass, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        """A's inputs in the place of B's; B's positional arguments then."""
        call = CallArguments(begun.module, args, kwargs)
        step = self._watcher.step
        self._facts.begin(event, begun.inputs, self._loaders.own)
        for theirs, ours in self._names(event, begun):
            self._put_input(event, begun, call, theirs, ours)
        self._put_plain(event, begun, call, step)
        return tuple(call.args)

    def _names(self, event: Event, begun: OpenPass) -> list[tuple[str | None, str | None]]:
        """Names of inputs in both; where they have none in common, in their order."""
        theirs, ours = list(event.record["inputs"]), list(begun.inputs)
        if not set(theirs) & set(ours) and theirs and ours:
            if len(theirs) == len(ours):
                return list(zip(theirs, ours, strict=True))
            what = f"the models are given other inputs ({', '.join(theirs)}; {', '.join(ours)})"
            self._notes.cannot(self._watcher.step, "batch", what)
            return []
        # What comes out of another pass is no input, on neither side.
        made_here, made_there = begun.given.tensors.keys() - ours, set(event.record["names"])
        there = [(n, n if n in begun.inputs else None) for n in theirs if n not in made_here]
        return [*there, *((None, n) for n in ours if n not in made_there)]

    def _put_input(
        self,
        event: Event,
        begun: OpenPass,
        call: CallArguments,
        theirs: str | None,
        ours: str | None,
    ) -> None:
        step, notes = self._watcher.step, self._notes
        if theirs is None or ours is None:
            self._put_missing(event, call, theirs, ours)
            return
        record, own = event.record["inputs"][theirs], begun.inputs[ours]
        if not is_readable(own):
            notes.uncompared(step, "batch", f"the input {ours} has no values that can be read")
            return
        mine = described(own)
        if record == mine:
            given = self._loaders.own(record["hash"])
            if given is not None and is_plain(own):  # the loader had another batch
                about = self._facts.of(theirs, ours)
                notes.unequal(step, "batch", f"input {theirs}", *about, number=event.number)
            return
        if not (is_sent(record, event.pieces) and is_plain(own)):
            notes.cannot(step, "batch", f"the input {ours} is sparse or quantized, and unequal")
            return
        value = unpack(record, event.pieces)
        about = self._facts.of(theirs, ours)
        more = {"number": event.number, "made": self._loaders.explains}
        notes.unequal(step, "batch", f"input {theirs}", *about, **more)
        if not notes.puts("batch", "values"):
            return
        self._direct = True
        self._targets = self._targets or any(word in ours.lower() for word in TARGETS)
        value = value.to(own.device)
        if own.requires_grad:
            value.requires_grad_(True)
        if not call.put(ours, value):
            notes.cannot(step, "batch", f"the input {ours} can't be replaced where it stands")

    def _put_missing(
        self, event: Event, call: CallArguments, theirs: str | None, ours: str | None
    ) -> None:
        step, notes = self._watcher.step, self._notes
        name = theirs or ours or ""
        target = any(word in name.lower() for word in TARGETS)
        values = ("given", None) if theirs else (None, "given")
        field = f"target {name}" if target else f"given {name}"
        notes.unequal(step, "batch", field, *values, number=event.number, soft=target)
        if target or not notes.puts("batch", field):
            return
        if theirs is None:
            done = call.put(name, MISSING)
        elif not is_sent(event.record["inputs"][theirs], event.pieces):
            done = False
        else:
            value = unpack(event.record["inputs"][theirs], event.pieces)
            tensors = (v for v in [*call.args, *call.kwargs.values()] if isinstance(v, Tensor))
            done = call.put(name, value.to(next(tensors, value).device))
        if not done:
            notes.cannot(step, "batch", f"the model of B takes no {name}, or not without it")

    def _put_plain(self, event: Event, begun: OpenPass, call: CallArguments, step: int) -> None:
        """Numbers, flags and texts beside the inputs."""
        theirs, ours = event.record["plain"], begun.given.plain
        for name in dict.fromkeys([*theirs, *ours]):
            if name in theirs and name in ours and same(theirs[name], ours[name]):
                continue
            key = f"argument {name}"
            values = theirs.get(name), ours.get(name)
            self._notes.unequal(step, "batch", key, *values, number=event.number, soft=True)
            tried = key in self._soft.proven or not self._notes.is_whole
            if not tried or not self._notes.puts("batch", key):
                self._soft.leave(key, values)
                continue
            value: Any = theirs.get(name, MISSING)
            if name in event.record["names"] and value is not MISSING:
                value = torch.tensor(value)
            if not call.put(name, value):
                self._notes.cannot(step, "batch", f"the argument {name} can't be given")
