"""What a loss function is given: A's targets and settings in B's place."""

from typing import Any

from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.input_facts import input_facts
from reference.lockstep.losses import LossCall
from reference.lockstep.notes import Notes
from reference.lockstep.packing import described, is_sent, unpack
from reference.lockstep.put_batch import LoaderPlacer
from reference.lockstep.put_modes import Soft
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher
from reference.lockstep.wire import Bytes

REDUCTION = "reduction"


class LossPlacer:
    """Pairs the losses of two trainings, whether a model computes them or what stands after it."""

    def __init__(
        self,
        watcher: Watcher,
        stream: Stream,
        notes: Notes,
        loaders: LoaderPlacer,
        soft: Soft,
    ) -> None:
        self._soft = soft
        self._watcher, self._stream, self._notes = watcher, stream, notes
        self._loaders = loaders
        self._inside: list[tuple[Record, dict[str, Bytes]]] = []  # those of A's last pass
        self._passed = (0, 0)  # the step and number of the pass in whose model B computes some
        self.is_seen = False  # whether this step has a loss that both compute by such a function
        self._any = False  # whether A's computes any there

    def after(self, event: Event) -> None:
        """A's pass is over: what it computed within its model may be B's after it."""
        step, number = self._watcher.step, event.number
        if self._passed != (step, number):  # else B's own model has had them
            self._inside = [(record, event.pieces) for record in event.record["losses"]]

    def compute(self, call: LossCall, number: int, *, inside: bool) -> Any:
        """A loss that B is about to compute, with what A gave its own; gives it."""
        found = self._partner(call, number, inside=inside)
        if found is None:
            return call.run()
        self.is_seen = True
        theirs, pieces = found
        whole = self._put(call, theirs, pieces, inside=inside)
        result = call.run()
        call.take(result)
        value, hashed = theirs["value"], theirs["hash"]
        if theirs["kind"] == "loss":
            end = self._stream.seek("loss_end", step=self._watcher.step)
            if end is not None:
                value, hashed = end.record["value"], end.record["hash"]
        if whole and hashed and call.hash and hashed != call.hash and not self._notes.follows:
            same = theirs["name"] == call.name
            more: Record = {} if same else {"functions": [theirs["name"], call.name]}
            more["because"] = self._soft.suspects() if inside else []
            step = self._watcher.step
            self._notes.unequal(step, "forward", "loss", value, call.value, **more)
            self._notes.follows = "forward"
        return result

    def _partner(
        self, call: LossCall, number: int, *, inside: bool
    ) -> tuple[Record, dict[str, Bytes]] | None:
        step = self._watcher.step
        if inside:
            return self._partner_inside(number)
        if self._inside:
            return self._take_inside()
        event = self._stream.seek("loss", step=step)
        return None if event is None else (event.record, event.pieces)

    def _partner_inside(self, number: int) -> tuple[Record, dict[str, Bytes]] | None:
        """B's model computes it: so does A's, or what stands after that."""
        step = self._watcher.step
        fits = lambda e: e.number == number  # noqa: E731
        end = self._stream.seek("pass_end", step=step, fits=fits, take=False)
        if end is None:
            return None
        if self._passed != (step, number):
            self._passed, self._inside = (step, number), []
            self._inside = [(record, end.pieces) for record in end.record["losses"]]
            self._any = bool(self._inside)
        if self._any:
            return self._take_inside()
        event = self._stream.seek("loss", step=step)
        return None if event is None else (event.record, event.pieces)

    def _take_inside(self) -> tuple[Record, dict[str, Bytes]] | None:
        if not self._inside:
            return None
        record, pieces = self._inside.pop(0)
        return {**record, "kind": "inside"}, pieces

    def _put(
        self, call: LossCall, theirs: Record, pieces: dict[str, Bytes], *, inside: bool
    ) -> bool:
        """Whether B's is given what A's is."""
        step, notes = self._watcher.step, self._notes
        whole = self._put_plain(call, theirs, inside=inside)
        for name, record in theirs["tensors"].items():
            own = call.tensors.get(name)
            if not is_sent(record, pieces):
                notes.uncompared(step, "batch", f"the loss's {name} is sparse or quantized")
                continue
            if own is not None and described(own)["hash"] == record["hash"]:
                given = self._loaders.own(record["hash"])
                if given is not None and given.numel() == own.numel():
                    about = input_facts(own), input_facts(given.reshape(own.shape))
                    notes.unequal(step, "batch", f"target {name}", *about)
                continue
            if own is None:
                notes.unequal(step, "forward", f"loss {name}", "given", None, soft=False)
                whole = self._give(call, name, unpack(record, pieces), None) and whole
                continue
            value = unpack(record, pieces)
            about = input_facts(value), input_facts(own)
            made = self._loaders.explains
            notes.unequal(step, "batch", f"target {name}", *about, made=made)
            if not notes.puts("batch", "values"):
                return False
            if not self._give(call, name, value, own):
                shapes = f"{list(value.shape)} and {list(own.shape)}"
                notes.cannot(step, "batch", f"the loss's {name} has another shape ({shapes})")
                whole = False
        return whole

    def _give(self, call: LossCall, name: str, value: Tensor, own: Tensor | None) -> bool:
        if own is not None:
            if value.dtype != own.dtype:
                return False
            if value.dim() != own.dim():
                if value.numel() != own.numel():
                    return False
                value = value.reshape(own.shape)
            if value.shape != own.shape and value.shape[:1] != call.rows:
                return False
            value = value.to(own.device)
        call.with_tensor(name, value)
        return True

    def _put_plain(self, call: LossCall, theirs: Record, *, inside: bool) -> bool:
        """Settings; False where one is left, so that what the model makes of the loss tells."""
        if theirs["name"] != call.name:
            return True
        step = self._watcher.step
        names = [n for n in theirs["plain"] if n in call.plain]
        unequal = [n for n in names if theirs["plain"][n] != call.plain[n]]
        # A model that is given the number of labels sums, and divides by it: that was left to B.
        follows = inside and self._notes.is_whole and bool(self._soft.untried)
        left = [n for n in unequal if n == REDUCTION and follows]
        for name in unequal:
            values = theirs["plain"][name], call.plain[name]
            more = {"function": call.name, "soft": name in left}
            self._notes.unequal(step, "forward", f"loss {name}", *values, **more)
        put = [n for n in unequal if n not in left and self._notes.puts("forward", f"loss {n}")]
        if put:
            call.with_plain({n: theirs["plain"][n] for n in put})
        return not left
