"""What an optimizer keeps between steps: A's moments and counts in B's place."""

from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.lockstep.notes import Notes
from reference.lockstep.optimizer_state import (
    STEP,
    described_state,
    digest,
    drop_state,
    put_state,
    with_places,
)
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.stream import Stream
from reference.lockstep.watcher import Watcher


class StatePlacer:
    """Compares what two optimizers know of earlier steps."""

    def __init__(
        self, watcher: Watcher, pairs: ParameterPairs, stream: Stream, notes: Notes
    ) -> None:
        self._watcher, self._pairs = watcher, pairs
        self._stream, self._notes = stream, notes
        self._kept: set[str] = set()  # of another class: what B's kept, after its last step

    def before_step(self, theirs: str, optimizer: Optimizer, *, same_class: bool) -> None:
        """What both step with: unequal where one was made anew, loaded, or changed in between.

        Args:
            theirs: A's digest.
            optimizer: B's.
            same_class: They are of one. Else what both keep under one name is compared.
        """
        if not self._notes.is_whole or self._digest(optimizer) == theirs:
            return
        unequal = self._unequal(optimizer, only=None if same_class else self._kept)
        if not unequal:
            return
        first = next(iter(unequal))
        counts = next((u for path, u in unequal.items() if path.endswith(f".{STEP}")), None)
        places = dict.fromkeys(int(path.partition(".")[0]) for path in unequal)
        names = dict.fromkeys(path.split(".")[1] for path in unequal)
        self._notes.unequal(
            self._watcher.step,
            "optimizer",
            "state",
            *unequal[first],
            parameters=len(places),
            first=self._pairs.name(next(iter(places))),
            names=list(names),
            counts=counts,
        )
        self._put(optimizer, unequal)

    def after_step(self, optimizer: Optimizer, *, same_class: bool) -> None:
        """After a step that wasn't A's: what it has left is A's, as the weights are."""
        if not self._notes.puts("update"):
            return
        ours = described_state(optimizer, self._watcher.parameters)
        names = {path.split(".")[1] for path in ours}
        unequal = self._unequal(optimizer, only=None if same_class else names)
        self._put(optimizer, unequal)
        self._kept = set() if same_class else names

    def _digest(self, optimizer: Optimizer) -> str:
        places = {b: a for a, b in self._pairs.pairs}
        return digest(described_state(optimizer, self._watcher.parameters), places)

    def _unequal(
        self, optimizer: Optimizer, *, only: set[str] | None
    ) -> dict[str, tuple[str | None, str | None]]:
        """Both descriptions by A's path, None where one has none; of parameters that both have."""
        there = {b: a for a, b in self._pairs.pairs}
        own = described_state(optimizer, self._watcher.parameters)
        ours = {with_places(path, there): each for path, each in own.items()}
        self._theirs = self._stream.ask_record(get="state described")
        theirs: Record = self._theirs["parts"]
        tensors = [p for group in optimizer.param_groups for p in group["params"]]
        tensors += [p for p in optimizer.state if isinstance(p, Tensor)]  # that were lent a group
        places = map(self._watcher.parameters.place, tensors)
        held = {there.get(-1 if place is None else place) for place in places}
        paths = [
            path
            for path in dict.fromkeys([*theirs, *ours])
            if int(path.partition(".")[0]) in held
            and (only is None or path.split(".")[1] in only)
            and theirs.get(path) != ours.get(path)
        ]
        return {path: (theirs.get(path), ours.get(path)) for path in paths}

    def _put(self, optimizer: Optimizer, unequal: dict[str, tuple[str | None, str | None]]) -> None:
        theirs = {path: pair[0] for path, pair in unequal.items() if pair[0] is not None}
        tensors = [path for path in theirs if path in self._theirs["tensors"]]
        numbers = {path: each for path, each in theirs.items() if path not in tensors}
        parameters, own_place = self._watcher.parameters, self._pairs.own
        state = self._stream.ask(get="state", names=tensors) if tensors else {}
        put_state(optimizer, parameters, own_place, state, numbers)
        has = {path.partition(".")[0] for path in self._theirs["parts"]}
        none = {path.partition(".")[0] for path in unequal} - has
        drop_state(optimizer, parameters, [own_place[int(place)] for place in none])
