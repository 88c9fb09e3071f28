"""Where a forward pass's outputs lie, as long as that memory is theirs.

An output that is gone leaves its place to the next tensor, which may be a target: by the address
alone it would be taken for an output, and left out.
"""

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from reference.observe.tensors.shards import local_part


class OutputMemory:
    """The storages of some tensors; it keeps none of them alive.

    Args:
        tensors: of any kind; those whose memory can't be told (sparse, nested) are left out.
    """

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        own = (local_part(tensor) for tensor in tensors)
        plain = (t for t in own if t.layout == torch.strided and not t.is_nested)
        storages = [t.untyped_storage() for t in plain]
        weak: Any = StorageWeakRef
        self._places = [(storage.data_ptr(), weak(storage)) for storage in storages]

    def holds(self, addresses: Collection[int]) -> bool:
        """Whether one of these storages begins there, and is still there: also for a view of it."""
        return any(
            address in addresses and not reference.expired() for address, reference in self._places
        )
