"""What a model gives: A's values in place of B's, by which B's gradient is passed on."""

from typing import Any

from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.arguments_put import in_place_of, put_outputs
from reference.lockstep.notes import Notes
from reference.lockstep.packing import comparable, described_all
from reference.lockstep.put_modes import Soft
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher


class OutputPlacer:
    """The outputs of B's passes, beside A's."""

    def __init__(self, watcher: Watcher, stream: Stream, notes: Notes, soft: Soft) -> None:
        self._watcher, self._stream, self._notes, self._soft = watcher, stream, notes, soft

    def compare(self, event: Event, output: Any, own: dict[str, Tensor]) -> Any:
        """What the model is to have given in place of `output`; None where it is left as it is.

        Args:
            event: A's end of the pass.
            output: what B's model gave.
            own: its tensors, by name.
        """
        theirs, ours = event.record["outputs"], described_all(comparable(own))
        names = common_outputs(theirs, ours)
        unequal = {a: b for a, b in names if theirs[a]["hash"] != ours[b]["hash"]}
        if not unequal:
            self._soft.idle()
            return None
        step = self._watcher.step
        first = next(iter(unequal))
        numbers = event.record["numbers"]
        mine = {b: own[b].item() for b in unequal.values() if own[b].numel() == 1}
        loss = next((a for a, b in unequal.items() if a in numbers and b in mine), None)
        values = (numbers[loss], mine[unequal[loss]]) if loss is not None else (None, None)
        because = self._soft.suspects()
        more = {"first": first, "names": list(unequal), "number": event.number, "because": because}
        self._notes.unequal(step, "forward", "outputs", *values, **more)
        self._soft.matter()
        self._notes.follows = "forward"
        if not self._notes.is_whole:
            return None
        fits = {a: b for a, b in unequal.items() if theirs[a]["shape"] == ours[b]["shape"]}
        if len(fits) < len(unequal):
            self._notes.cannot(step, "forward", f"{first} has another shape")
        if not fits:
            return None
        values_of = self._stream.ask(get="outputs", names=list(fits), **{"pass": event.number})
        put = {}
        for a, b in fits.items():
            like = own[b]
            put[b] = in_place_of(like, values_of[a].to(like.device, like.dtype))
        return put_outputs(output, put)


def common_outputs(theirs: Record, ours: Record) -> list[tuple[str, str]]:
    """Outputs that both have: by name, and else by their shapes, in their order."""
    named = [(name, name) for name in theirs if name in ours]
    if named:
        return named
    left = list(ours)
    pairs = []
    for name, record in theirs.items():
        fit = next((n for n in left if ours[n]["shape"] == record["shape"]), None)
        if fit is not None:
            left.remove(fit)
            pairs.append((name, fit))
    return pairs
