"""Models that are called without gradients and don't train: a teacher, a reference, a judge.

What they give goes into the loss, so that A's weights and modes are put in place here, too, at the
first call of each step: a teacher may be an average that goes with the training. A model that is to
be trained may be evaluated before its first step: it is one of them.
"""

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.arguments_put import CallArguments
from reference.lockstep.input_facts import input_facts
from reference.lockstep.notes import Notes
from reference.lockstep.packing import described, hashes, is_plain, is_sent, unpack
from reference.lockstep.stream import Event, Stream
from reference.observe.step.arguments import arguments_of
from reference.observe.tensors.held_tensors import held
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.tensors.shards import local_part
from reference.observe.torch_internals import insides

MOST = 16  # models


class OtherModels:
    """Those of one training, in the order of their first calls."""

    def __init__(self) -> None:
        self._known: list[weakref.ref[torch.nn.Module]] = []
        self._told: dict[int, int] = {}  # the step in which each was told of last
        self.partners: dict[int, int] = {}  # the other training's numbers, by those of this one

    def take(self, module: torch.nn.Module, step: int, *, trains: bool) -> Record | None:
        """What is said of one that is called: once in a step, and nothing of one that trains."""
        number = self.number(module)
        if trains or (number is None and len(self._known) == MOST):
            return None
        if number is None:
            number = len(self._known)
            self._known.append(weakref.ref(module))
        if self._told.get(number) == step:
            return None
        is_first, self._told[number] = number not in self._told, step
        tensors = tensors_of(module)
        modes = {plain_name(name): part.training for name, part in module.named_modules()}
        each = dict(zip(tensors, hashes(tensors.values()), strict=True))
        return {"number": number, "first": is_first, "tensors": each, "modes": modes}

    def number(self, module: torch.nn.Module) -> int | None:
        """Of one that is known."""
        return next((i for i, r in enumerate(self._known) if r() is module), None)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """Those of a model."""
        module = self._known[number]()
        return {} if module is None else tensors_of(module)


def tensors_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """All that a module holds, by name."""
    return {each.name: local_part(each.tensor).detach() for each in held(insides(module))}


def inputs_of(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Tensor]:
    """What one is given, by name."""
    given = arguments_of(module, args, kwargs).tensors
    return {name: tensor for name, tensor in given.items() if tensor.dim()}


def put_look(
    module: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    number: int,
    step: int,
    stream: Stream,
    notes: Notes,
    *,
    made: bool,
) -> tuple[Any, ...]:
    """A's inputs in the place of B's; B's positional arguments then.

    Where A doesn't call its own one in this step, B's pass is left as it is. `made` says that B had
    A's batch to make these of.
    """
    ours = inputs_of(module, args, kwargs)
    event = stream.seek("look_pass", step=step, fits=lambda e: e.record["number"] == number)
    if event is None:
        return args
    call = CallArguments(module, args, kwargs)
    for name, record in event.record["inputs"].items():
        if name not in ours or described(ours[name]) == record:
            continue
        if not (is_sent(record, event.pieces) and is_plain(ours[name])):
            notes.cannot(step, "batch", f"the input {name} of another model is sparse, and unequal")
            continue
        value = unpack(record, event.pieces)
        about = input_facts(value), input_facts(ours[name])
        notes.unequal(step, "batch", f"look {name}", *about, made=made)
        if notes.puts("batch", "values") and not call.put(name, value.to(ours[name].device)):
            notes.cannot(step, "batch", f"the input {name} of another model can't be replaced")
    return tuple(call.args)


def put_other_model(
    module: torch.nn.Module,
    ours: Record,
    step: int,
    stream: Stream,
    notes: Notes,
    partners: dict[int, int],
) -> None:
    """A's weights and modes in a model that B calls, if A calls it in this step, too."""
    fits, known = list(ours["tensors"]), partners.get(ours["number"])
    taken = {*partners.values()}

    def is_it(event: Event) -> bool:
        number = event.record["number"]
        fresh = number not in taken and list(event.record["tensors"]) == fits
        return fresh if known is None else number == known

    event = stream.seek("look", step=step, fits=is_it)
    if event is None:
        return
    partners[ours["number"]] = event.record["number"]
    theirs: Mapping[str, str] = event.record["tensors"]
    names = [name for name in fits if theirs[name] != ours["tensors"][name]]
    if names:
        share = {"count": len(names), "total": len(fits), "first": names[0], "furthest": 0.0}
        kind = type(module).__name__
        field = "tensors" if step == 1 and ours["first"] else "of another model"
        notes.unequal(step, "weights", field, None, None, **share, kind=kind)
        if notes.puts("weights", "tensors"):
            values = stream.ask(get="other", number=event.record["number"], names=names)
            own = tensors_of(module)
            for name in names:
                if own[name].shape == values[name].shape:
                    own[name].copy_(values[name])
    _put_modes(module, event.record["modes"], ours["modes"], step, notes)


def _put_modes(
    module: torch.nn.Module,
    theirs: Mapping[str, bool],
    ours: Mapping[str, bool],
    step: int,
    notes: Notes,
) -> None:
    unequal = [name for name in theirs if name in ours and theirs[name] != ours[name]]
    if not unequal:
        return
    word = {True: "train", False: "eval"}
    values = word[theirs[unequal[0]]], word[ours[unequal[0]]]
    more = {"count": len(unequal), "total": len(theirs), "first": unequal[0]}
    notes.unequal(step, "mode", "of another model", *values, **more, kind=type(module).__name__)
    if notes.puts("mode", "of another model"):
        parts = {plain_name(name): part for name, part in module.named_modules()}
        for name in unequal:
            parts[name].training = theirs[name]
