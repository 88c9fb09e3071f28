"""What a step begins with, and what it ends with: A's weights and buffers in B's place."""

import math

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.packing import unpack
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.put_modes import Soft
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher
from reference.lockstep.wire import Bytes


class WeightPlacer:
    """Compares what two models hold, and puts A's in place."""

    def __init__(
        self, watcher: Watcher, pairs: ParameterPairs, stream: Stream, notes: Notes
    ) -> None:
        self._watcher, self._pairs = watcher, pairs
        self._stream, self._notes = stream, notes
        self._buffers: dict[str, tuple[Record, dict[str, Bytes]]] = {}

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

    def apart(self, pairs: list[tuple[int, int]]) -> Record:
        """How far B's weights are from A's at the end, where B was left to go its own way."""
        values = self._stream.ask(get="weights", places=[a for a, _ in pairs])
        apart = norm = furthest = 0.0
        for a, b in pairs:
            theirs = values[str(a)].double()
            difference = self._watcher.tensor(b).detach().to("cpu", torch.float64) - theirs
            apart += float(difference.square().sum())
            norm += float(theirs.square().sum())
            if difference.numel():
                furthest = max(furthest, float(difference.abs().max()))
        return {"apart": math.sqrt(apart / norm) if norm else 0.0, "furthest": furthest}

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
        if not self._notes.puts("weights", "buffers"):
            return
        for name in unequal:
            own = living[named[name]]
            value = unpack(self._buffers[name][0], self._buffers[name][1])
            if value.shape == own.shape and value.dtype == own.dtype:
                own.data.copy_(value.to(own.device))
            else:
                self._notes.cannot(step, "weights", f"{name} has another shape or type")

    def unequal_buffers(self, theirs: Record, ours: Record) -> dict[str, str]:
        """B's names by A's, of those with other values."""
        left, right = (r.get("buffers", {}).get("tensors", {}) for r in (theirs, ours))
        named = self._pairs.buffers(right)
        return {n: named[n] for n, h in left.items() if n in named and right[named[n]] != h}

    def put_buffers_of_update(self, event: Event, ours: Record, soft: Soft) -> None:
        """What a step has made of them: a norm's running statistics, by its momentum."""
        theirs = event.record["update"]
        unequal = self.unequal_buffers(theirs, ours)
        if not unequal:
            return
        step, names = self._watcher.step, list(unequal)
        total = len(theirs["buffers"]["tensors"])
        more = {"count": len(names), "total": total, "first": names[0]}
        because = soft.of_buffers(names)
        self._notes.unequal(step, "update", "buffers", None, None, **more, because=because)
        living = self._watcher.parameters.buffers()
        values = self._stream.ask(get="buffers", names=names)
        for name, of_b in unequal.items():
            value, own = values[name], living[of_b]
            if value.shape == own.shape and value.dtype == own.dtype:
                own.data.copy_(value.to(own.device))
            else:
                self._notes.cannot(step, "update", f"{name} has another shape or type")

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


def _distance(own: Tensor, other: Tensor) -> float:
    if own.shape != other.shape or not other.is_floating_point():
        return 0.0
    apart = own.detach().to("cpu", torch.float64) - other.to(torch.float64)
    return float(apart.abs().max()) if apart.numel() else 0.0
