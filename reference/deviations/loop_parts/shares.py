"""What each of several processes gets of the batches, where it isn't its part of each."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader

from reference.lesson.data.shares import TrainingShares, shared


def shared_anew(
    dataloader: DataLoader[Any],
    kind: type[TrainingShares] = TrainingShares,
    order: Callable[[Any], Any] | None = None,
) -> DataLoader[Any]:
    """A loader's batches shared out in another way, or in another order.

    Args:
        dataloader: as `get_dataloaders` shares it out; any other is left as it is.
        kind: how its batches are shared out.
        order: what is made of the order of its rows.
    """
    shares = dataloader.batch_sampler
    if not isinstance(shares, TrainingShares):
        return dataloader
    sampler: Any = shares.sampler if order is None else order(shares.sampler)
    whole = DataLoader(
        dataloader.dataset,
        shares.batch_size,
        sampler=sampler,
        collate_fn=dataloader.collate_fn,
    )
    return shared(whole, kind)


class OwnOrder(TrainingShares):
    """Each process cuts its parts out of an order that it draws itself."""

    def _order(self) -> Iterable[int]:
        sampler: Any = self.sampler
        return list(sampler)


class DealtInTurn(TrainingShares):
    """A batch's rows dealt out one by one, as `DistributedSampler` deals them."""

    def _part(self, size: int) -> slice:
        return slice(self.rank, size, self.world_size)


class BatchAhead(TrainingShares):
    """The last process skips the first batch of each epoch, and takes it when the others end."""

    def __iter__(self) -> Iterator[list[int]]:
        first, *others = super().__iter__()
        return iter([*others, first] if self.rank == self.world_size - 1 else [first, *others])
