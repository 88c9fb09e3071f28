"""What is told of an input that isn't the other's."""

from collections.abc import Callable

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.packing import described, is_plain, is_readable, unpack_all
from reference.lockstep.stream import Event
from reference.observe.step.rows import rows_of

IDS, MASK = "input_ids", "attention_mask"
REMEMBERED = 1 << 14  # hashes


def input_facts(tensor: Tensor) -> Record:
    """Type, shape, and what tells a mask without padding or labels that a loss leaves out."""
    facts: Record = {
        "type": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
    }
    if tensor.numel() and not tensor.is_complex():
        plain = tensor.detach()
        if not plain.is_floating_point():
            facts["ones"] = bool((plain == 1).all())
            facts["ignored"] = int((plain == -100).sum())
            if plain.dim() == 2:
                facts["begins with 0"] = bool((plain[:, 0] == 0).any())
        facts["mean"] = float(plain.double().mean())
    return facts


class BatchFacts:
    """Of the inputs of one pass, in both trainings: each with those beside it, and those before."""

    def __init__(self) -> None:
        self._theirs: dict[str, Tensor] = {}
        self._ours: dict[str, Tensor] = {}
        self._seen: tuple[dict[str, None], dict[str, None]] = ({}, {})
        self._rows: tuple[dict[str, int], dict[str, int]] = ({}, {})  # how often each was there
        self._name = ""  # of the input by which rows are told

    def begin(
        self, event: Event, ours: dict[str, Tensor], given: Callable[[str], Tensor | None]
    ) -> None:
        """A pass begins.

        Args:
            event: A's.
            ours: B's inputs, as they are by now.
            given: What B's loader gave where the tensor of this hash stands now.
        """
        self._theirs = unpack_all(event.record["inputs"], event.pieces)
        self._ours = {}
        for name, tensor in ours.items():
            if not (is_readable(tensor) and is_plain(tensor)):
                continue
            own = given(described(tensor)["hash"])
            self._ours[name] = tensor if own is None else own
        self._take_rows()

    def _take_rows(self) -> None:
        """The rows of both, without their padding."""
        for inputs, seen in zip((self._theirs, self._ours), self._rows, strict=True):
            rows = rows_of(inputs)
            for name, tensor in inputs.items():
                if rows is not None and rows.fit(tensor) and _tells_rows(tensor):
                    self._name = name
                    for each in rows.hashes(tensor):
                        if each in seen or len(seen) < REMEMBERED:
                            seen[each] = seen.get(each, 0) + 1
                    break

    def unlike(self) -> tuple[str, int, int] | None:
        """The input, and how many rows either has, where none of them is any of the other's.

        Said of rows that come again, as an epoch's do: those that are made anew each time, with
        noise or another crop, are never the other's.
        """
        for seen in self._rows:
            again = sum(count > 1 for count in seen.values())
            if not seen or 2 * again < len(seen):
                return None
        if self._rows[0].keys() & self._rows[1].keys():
            return None
        return self._name, len(self._rows[0]), len(self._rows[1])

    def of(self, theirs: str, ours: str) -> tuple[Record, Record]:
        """What is told of an input, of A's and of B's."""
        pairs = (theirs, self._theirs), (ours, self._ours)
        told = [{**input_facts(all_[name]), **_beside(name, all_)} for name, all_ in pairs]
        for facts, seen, (name, inputs) in zip(told, self._seen, pairs, strict=True):
            if not _tells_rows(inputs[name]):
                continue
            key = f"{name} {described(inputs[name])['hash']}"
            facts["again"] = key in seen
            if len(seen) < REMEMBERED:
                seen[key] = None
        return told[0], told[1]


def _tells_rows(tensor: Tensor) -> bool:
    """Whether another batch has hardly the same: labels, masks and types have by chance."""
    plain = tensor.dim() > 1 and tensor.numel() > 0 and not tensor.is_complex()
    return plain and (tensor.is_floating_point() or bool((tensor > 1).any()))


def _beside(name: str, inputs: dict[str, Tensor]) -> Record:
    """Of labels: whether they are the ids, and whether some are ignored that are no padding."""
    tensor, ids, mask = inputs[name], inputs.get(IDS), inputs.get(MASK)
    facts: Record = {}
    if name == MASK and ids is not None and ids.shape == tensor.shape and ids.dim() == 2:
        fillers = sorted({*ids[tensor == 0].tolist()})
        facts["filler"] = fillers[0] if len(fillers) == 1 else None
        facts["ends"] = sorted({*ids[:, [0, -1]].flatten().tolist()}) if tensor.numel() else []
    if name in (IDS, MASK) or tensor.is_floating_point() or tensor.dim() != 2:
        return facts
    kept = tensor != -100
    if ids is not None and ids.shape == tensor.shape and bool(kept.any()):
        facts["ids"] = bool((tensor == ids)[kept].all())
    if mask is not None and mask.shape == tensor.shape:
        facts["ignored inside"] = int(torch.logical_and(tensor == -100, mask == 1).sum())
    return facts
