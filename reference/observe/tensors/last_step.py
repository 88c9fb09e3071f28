"""The models that the last step used: held until the next one, so that their end can be read."""

from collections.abc import Mapping, Sequence

import torch

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record
from reference.observe.tensors.buffers import State, describe_buffers, find_buffers
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.listed import listed


class LastStep:
    """Holds tensors alive.

    Args:
        tensors: The parameters of these models, by place.
        states: What they keep beside them.
    """

    def __init__(
        self, tensors: Mapping[int, torch.Tensor] | None = None, states: Sequence[State] = ()
    ) -> None:
        self._tensors = dict(tensors or {})
        self._states = states
        self._buffers = find_buffers(states)

    def now(self, total: int) -> Record:
        """The hash of all their weights as they are by now, and of each.

        `tensors` has '-' for those of other models. And their `buffers`, where they have any: of a
        model that is gone, or has no values any more, as they were at its end.

        Args:
            total: How many places there are.
        """
        hashes = hash_tensors(self._tensors.values())
        tensors = listed(tuple(self._tensors), hashes, total)
        now = {n: t for n, t in find_buffers(self._states).items() if not t.is_meta}
        buffers = describe_buffers({**self._buffers, **now})
        record: Record = {"weights": combine(hashes), "tensors": tensors}
        return record if buffers is None else {**record, "buffers": buffers}
