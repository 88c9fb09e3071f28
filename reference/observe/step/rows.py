"""A batch as rows: what of its tensors doesn't depend on how the rows were batched and padded.

An evaluation in batches of 8 sees the rows that one in batches of 64 sees, padded to other widths.
What is hashed of an evaluation are therefore its rows, one after another, without their padding.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import xxhash
from torch import Tensor

from reference.observe.tensors.hashing import buffer_of
from reference.observe.torch_internals import modules_of

# What pads a row where no model says it: ids with 0, and labels so that a loss leaves them out.
PADDING = frozenset({0, -100})
MASK = "attention_mask"
WHOLE = (torch.int64, torch.int32, torch.int16)


@dataclass(frozen=True)
class Rows:
    """The rows of one batch.

    Attributes:
        count: How many there are.
        own: Which positions of each row are its own, of shape (rows, width); None where all are.
        guessed: No mask says so: what ends a row may be padding, or the row's own zeros.
    """

    count: int
    own: Tensor | None = None
    guessed: bool = False

    @property
    def layout(self) -> bytes:
        """Where the rows are padded: other places are other batches; nothing where none is."""
        return b"" if self.own is None or self.guessed else bytes(buffer_of(self.own))

    @property
    def lengths(self) -> bytes:
        """How many positions each row has of its own; nothing where rows aren't padded."""
        return b"" if self.own is None else bytes(buffer_of(self.own.sum(1)))

    def fit(self, tensor: Tensor) -> bool:
        """Whether the tensor has one entry for each row."""
        return tensor.dim() > 0 and len(tensor) == self.count

    def own_of(self, tensor: Tensor) -> Tensor | None:
        """`own`, where it says of this tensor's positions which are padding."""
        return None if self.own is None or tensor.shape[:2] != self.own.shape else self.own

    def of(self, tensor: Tensor) -> Tensor:
        """The rows' values of a tensor that fits, without their padding."""
        own = self.own_of(tensor)
        return tensor if own is None else tensor[own.to(tensor.device)]

    def hashes(self, tensor: Tensor) -> list[str]:
        """A short hash of each row of a dense tensor that fits, without its padding."""
        # Not by `Tensor.numpy`, after which torch refuses to resize the tensor's memory.
        if tensor.numel() == 0:
            return []
        values = buffer_of(tensor)
        size = len(values) // self.count
        starts = range(0, len(values), size)
        own = self.own_of(tensor)
        if own is None:
            return [xxhash.xxh32_hexdigest(values[start : start + size]) for start in starts]
        if self._beginnings is not None:
            entry = size // own.shape[1]
            ends = (start + n * entry for start, n in zip(starts, self._beginnings, strict=True))
            pairs = zip(starts, ends, strict=True)
            return [xxhash.xxh32_hexdigest(values[start:end]) for start, end in pairs]
        parts = np.frombuffer(values, np.uint8).reshape(*own.shape, -1)
        masks = own.to("cpu").numpy()
        return [
            xxhash.xxh32_hexdigest(row[of].tobytes()) for row, of in zip(parts, masks, strict=True)
        ]

    @cached_property
    def _beginnings(self) -> list[int] | None:
        """How long each row is, where all are padded at their ends alone, as most are; else None.

        A row is then a piece of memory: to take it costs a tenth of choosing its positions.
        """
        if self.own is None:
            return None
        falls = bool((self.own[:, :-1] >= self.own[:, 1:]).all())
        return self.own.sum(1).tolist() if falls else None


def rows_of(
    inputs: Mapping[str, Tensor], padding: Collection[int] = PADDING, *, at_either_end: bool = False
) -> Rows | None:
    """The rows of the batch that a model takes; None where no input has any.

    Args:
        inputs: By name.
        padding: Values that pad a row of whole numbers at its end.
        at_either_end: Also at its beginning, where some rows begin with it and none ends so.
    """
    first = next((t for t in inputs.values() if t.dim() > 0), None)
    if first is None:
        return None
    mask = mask_of(inputs)
    if mask is not None and mask.dim() == 2:
        return Rows(len(mask), mask != 0)
    ids = next((t for t in inputs.values() if t.dim() == 2 and t.dtype in WHOLE), None)
    if ids is None or ids.layout != torch.strided or ids.numel() == 0:
        return Rows(len(first))
    ids = ids.detach()
    filler = torch.isin(ids, torch.tensor(sorted(padding), dtype=ids.dtype, device=ids.device))
    begins, ends = filler[:, 0], bool(filler[:, -1].any())
    if at_either_end and not ends and bool(begins.any()) and not bool(begins.all()):
        return Rows(len(ids), filler.logical_not().cumsum(1) > 0, guessed=True)
    if not ends:
        return Rows(len(ids), torch.ones_like(filler), guessed=True)
    # From the end of each row up to its first own position: all that follows is padding.
    own = filler.logical_not().flip(1).cumsum(1).flip(1) > 0
    return Rows(len(ids), own, guessed=True)


def mask_of(inputs: Mapping[str, Tensor]) -> Tensor | None:
    """The attention mask, if it is one of zeros and ones, and not one that is added to scores."""
    mask = inputs.get(MASK)
    if mask is None:
        return None
    if mask.dtype in WHOLE and mask.layout == torch.strided and mask.numel() and not mask.is_nested:
        low, high = torch.aminmax(mask.detach())
        return mask.detach() if int(low) >= 0 and int(high) <= 1 else None
    return mask.detach() if bool(((mask == 0) | (mask == 1)).all()) else None


def padding_of(module: torch.nn.Module) -> frozenset[int]:
    """PADDING, and what this model's embeddings are told is padding."""
    told: Iterable[object] = (getattr(part, "padding_idx", None) for part in modules_of(module))
    return PADDING | {each for each in told if type(each) is int}
