"""What a forward pass begins with: A's weights, generators, modes and inputs in B's place."""

from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.arguments_put import MISSING, CallArguments
from reference.lockstep.generator_states import generator_states, put_generator
from reference.lockstep.input_facts import BatchFacts
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.packing import described, unpack
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.put_batch import LoaderPlacer
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import OpenPass, Watcher
from reference.lockstep.wire import Bytes

TARGETS = ("label", "target", "start_positions", "end_positions")
FAR = 1e18  # what is said of a difference that is no number


class PassPlacer:
    """Compares the beginnings of two passes, and puts A's in place."""

    def __init__(
        self,
        watcher: Watcher,
        pairs: ParameterPairs,
        stream: Stream,
        notes: Notes,
        loaders: LoaderPlacer,
    ) -> None:
        self._watcher, self._pairs, self._loaders = watcher, pairs, loaders
        self._stream, self._notes = stream, notes
        self._modes: dict[int, Record] = {}  # A's, by the number of a called module
        self._settings: dict[int, Record] = {}
        self._buffers: dict[str, tuple[Record, dict[str, Bytes]]] = {}
        self._facts = BatchFacts()
        # Settings and plain arguments are left as they are until it shows that they do something.
        self.untried: set[str] = set()
        self.proven: set[str] = set()

    def weights(self, event: Event) -> None:
        """What the step begins with, where A says it."""
        theirs = event.record.get("weights")
        step = self._watcher.step
        if theirs is None or (step > 1 and not self._notes.is_whole):
            return
        ours = self._watcher.parameters.values()
        self.put_weights("weights", theirs, ours)
        for name, record in event.record["buffers"].items():
            self._buffers[name] = record, event.pieces
        hashes = ours.get("buffers", {}).get("tensors", {})
        self._put_buffers(theirs.get("buffers", {}).get("tensors", {}), hashes)
        if step == 1 and event.record["record"] is not None:
            self._note_alone(step)

    def _note_alone(self, step: int) -> None:
        for side, names in enumerate(self._pairs.alone):
            if names:
                values: list[int | None] = [None, None]
                values[side] = len(names)
                what = {"first": names[0], "names": names[:8]}
                self._notes.unequal(step, "weights", "parameters alone", *values, **what)

    def put_weights(self, link: str, theirs: Record, ours: Record) -> bool:
        """A's weights where they are unequal; whether all are A's then."""
        if theirs["hash"] == ours["hash"]:
            return True
        left, right = theirs["tensors"].split(), ours["tensors"].split()
        unequal = [
            (a, b)
            for a, b in self._pairs.pairs
            if a < len(left) and b < len(right) and left[a] != right[b]
        ]
        if not unequal:
            return True
        step = self._watcher.step
        total = len(self._pairs.pairs)
        share = {"count": len(unequal), "total": total, "first": self._pairs.name(unequal[0][0])}
        values = self._stream.ask(get="weights", places=[a for a, _ in unequal])
        furthest = 0.0
        for a, b in unequal:
            value, own = values[str(a)], self._watcher.tensor(b)
            furthest = max(furthest, _distance(own, value))
        self._notes.unequal(step, link, "tensors", None, None, **share, furthest=furthest)
        if not self._notes.puts(link, "tensors"):
            return False
        done = True
        for a, b in unequal:
            value, own = values[str(a)], self._watcher.tensor(b)
            if value.dtype != own.dtype:
                name = self._pairs.name(a)
                self._notes.cannot(step, link, f"{name} is {value.dtype}, and {own.dtype} in B")
                done = False
                continue
            own.data.copy_(value.to(own.device))
        return done

    def _put_buffers(self, theirs: Record, ours: Record) -> None:
        step, living = self._watcher.step, self._watcher.parameters.buffers()
        named = self._pairs.buffers(ours)
        unequal = [n for n, h in theirs.items() if n in named and ours[named[n]] != h]
        if not unequal:
            return
        share = {"count": len(unequal), "total": len(theirs), "first": unequal[0]}
        self._notes.unequal(step, "weights", "buffers", None, None, **share)
        if not self._notes.puts("weights"):
            return
        for name in unequal:
            own = living[named[name]]
            value = unpack(self._buffers[name][0], self._buffers[name][1])
            if value.shape == own.shape and value.dtype == own.dtype:
                own.data.copy_(value.to(own.device))
            else:
                self._notes.cannot(step, "weights", f"{name} has another shape or type")

    def frozen(self, event: Event) -> Undo | None:
        """Parameters that one of them doesn't train."""
        if "frozen" not in event.record:
            return None
        theirs = set(event.record["frozen"])
        ours = set(self._watcher.frozen())
        known = self._pairs.pairs
        unequal = [(a, b) for a, b in known if (a in theirs) != (b in ours)]
        if not unequal:
            return None
        names = [self._pairs.name(a) for a, _ in unequal]
        step = self._watcher.step
        values = bool(unequal[0][0] in theirs), bool(unequal[0][1] in ours)
        more = {"count": len(unequal), "total": len(known), "first": names[0], "names": names[:8]}
        self._notes.unequal(step, "mode", "frozen", *values, **more)
        if not self._notes.puts("mode", "frozen"):
            return None
        changed = []
        for a, b in unequal:
            own = self._watcher.tensor(b)
            if own.is_leaf:
                changed.append((own, own.requires_grad))
                own.requires_grad_(a not in theirs)

        def undo() -> None:
            for own, before in changed:
                own.requires_grad_(before)

        return undo

    def generators(self, event: Event) -> list[str]:
        """The states of the generators; the names of those that were unequal."""
        theirs, ours = event.record["rng"], generator_states()
        names = [n for n, r in theirs.items() if n in ours and r["state"] != ours[n]]
        if self._notes.puts("rng", "generators"):
            for name in names:
                if not put_generator(name, theirs[name], event.pieces):
                    step = self._watcher.step
                    self._notes.cannot(step, "rng", f"the generator {name} is of another kind")
        return names

    def modes(self, event: Event, begun: OpenPass) -> Undo | None:
        """Train or eval mode of the modules."""
        called = event.record["called"]
        self._modes[called] = theirs = event.record.get("modes", self._modes.get(called, {}))
        ours = begun.parts.modes()
        common = [n for n in theirs if n in ours]
        unequal = [n for n in common if theirs[n] != ours[n]]
        if not unequal:
            return None
        word = {True: "train", False: "eval"}
        values = word[theirs[unequal[0]]], word[ours[unequal[0]]]
        more = {"count": len(unequal), "total": len(common), "first": unequal[0]}
        more["stateful"] = _depends_on_mode(begun.module)
        self._notes.unequal(self._watcher.step, "mode", "training", *values, **more)
        if not self._notes.puts("mode", "training"):
            return None
        return begun.parts.put_modes({n: theirs[n] for n in unequal})

    def settings(self, event: Event, begun: OpenPass) -> Undo | None:
        """Plain attributes of the modules; A's once it has shown that they do something."""
        called = event.record["called"]
        known = self._settings.get(called, {})
        self._settings[called] = theirs = event.record.get("settings", known)
        ours = begun.parts.settings()
        unequal = [n for n in theirs if n in ours and not _same(theirs[n], ours[n])]
        if not unequal:
            return None
        groups: dict[str, list[str]] = {}
        for name in unequal:
            groups.setdefault(name.rpartition(".")[2], []).append(name)
        put: Record = {}
        for attribute, names in groups.items():
            key = f"setting {attribute}"
            values = theirs[names[0]], ours[names[0]]
            more = {"count": len(names), "total": len(names), "first": names[0]}
            self._notes.unequal(self._watcher.step, "forward", key, *values, **more, soft=True)
            tried = key in self.proven or not self._notes.is_whole
            if tried and self._notes.puts("forward", key):
                put.update({name: theirs[name] for name in names})
            else:
                self.untried.add(key)
        return begun.parts.put_settings(put) if put else None

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
        if not set(theirs) & set(ours) and len(theirs) == len(ours):
            return list(zip(theirs, ours, strict=True))
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
        mine = described(own)
        if record == mine:
            given = self._loaders.own(record["hash"])
            if given is not None:  # the loader had another batch
                about = self._facts.of(theirs, ours)
                notes.unequal(step, "batch", f"input {theirs}", *about, number=event.number)
            return
        value = unpack(record, event.pieces)
        about = self._facts.of(theirs, ours)
        notes.unequal(step, "batch", f"input {theirs}", *about, number=event.number)
        if not notes.puts("batch", "values"):
            return
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
            if name in theirs and name in ours and _same(theirs[name], ours[name]):
                continue
            key = f"argument {name}"
            values = theirs.get(name), ours.get(name)
            self._notes.unequal(step, "batch", key, *values, number=event.number, soft=True)
            tried = key in self.proven or not self._notes.is_whole
            if not tried or not self._notes.puts("batch", key):
                self.untried.add(key)
                continue
            value: Any = theirs.get(name, MISSING)
            if name in event.record["names"] and value is not MISSING:
                value = torch.tensor(value)
            if not call.put(name, value):
                self._notes.cannot(step, "batch", f"the argument {name} can't be given")


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _depends_on_mode(module: torch.nn.Module) -> bool:
    """Whether a module in it keeps running statistics, as a BatchNorm does."""
    return any(getattr(part, "running_mean", None) is not None for part in module.modules())


def _distance(own: Tensor, other: Tensor) -> float:
    if own.shape != other.shape or not other.is_floating_point():
        return 0.0
    apart = own.detach().to("cpu", torch.float64) - other.to(torch.float64)
    return float(apart.abs().max()) if apart.numel() else 0.0
