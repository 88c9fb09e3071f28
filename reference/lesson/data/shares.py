"""The recipe's batches, shared out to the processes of one run.

    python -m reference launch cpu-2 train accelerated

The recipe's batch is that of a step, however many processes there are: on two of them each takes
half of it. So samples, steps and learning rates are those of one process. Accelerate's own ways
repeat rows where they don't come out even; the recipe's `sharing` asks for them.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch.distributed as dist
from torch.utils.data import BatchSampler, DataLoader


def this_process() -> tuple[int, int]:
    """(its rank, how many processes there are); (0, 1) where there is just one."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class TrainingShares(BatchSampler):
    """This process's rows of each batch of a step: one after another, as the Trainer has them.

    A batch may have fewer rows than there are processes. One that is left without gets the first
    row, as DDP waits for a backward pass of every process; its loss then counts nothing.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, rank: int, world_size: int) -> None:
        super().__init__(sampler, batch_size, drop_last=False)
        self.rank = rank
        self.world_size = world_size

    def __iter__(self) -> Iterator[list[int]]:
        for rows in _batches(self._order(), self.batch_size):
            yield rows[self._part(len(rows))] or rows[:1]

    def weights(self, first: int, count: int) -> list[float]:
        """What the mean losses of some batches count here, in a step that is made of them.

        Args:
            first: the number of the first of these batches in its epoch, from 0.
            count: how many there are.

        Returns:
            For each, the rows that this process has of it, over the rows that a process has of the
            whole step on average: gradients are averaged over processes, so that each row of the
            step counts the same.
        """
        rows = len(self.sampler)  # type: ignore[arg-type]  # each of ours has a length
        sizes = [
            min(self.batch_size, rows - number * self.batch_size)
            for number in range(first, first + count)
        ]
        own = [len(range(size)[self._part(size)]) for size in sizes]
        return [mine * self.world_size / sum(sizes) for mine in own]

    def _order(self) -> Iterable[int]:
        """One order for all: drawn from the global generator, dropout would move them apart."""
        from accelerate.utils import broadcast_object_list

        order = [list(self.sampler)]
        broadcast_object_list(order)
        return order[0]

    def _part(self, size: int) -> slice:
        """Which rows of a batch are this process's: the first ones have one more, if any has."""
        each, more = divmod(size, self.world_size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))


class EvaluationShares(BatchSampler):
    """This process's part of each evaluation batch, so that the parts, by rank, are the batch.

    Each process has the same number of rows, as `gather_for_metrics` needs them: a batch is rounded
    up to a multiple of `world_size`. The last batch is filled up with the last row, and
    `gather_for_metrics` cuts off what is too much.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, rank: int, world_size: int) -> None:
        super().__init__(sampler, -(-batch_size // world_size) * world_size, drop_last=False)
        self.rank = rank
        self.world_size = world_size

    def __iter__(self) -> Iterator[list[int]]:
        for rows in _batches(self.sampler, self.batch_size):
            each = -(-len(rows) // self.world_size)
            filled = rows + rows[-1:] * (each * self.world_size - len(rows))
            yield filled[self.rank * each : (self.rank + 1) * each]


def shared(
    dataloader: DataLoader[Any], kind: type[TrainingShares | EvaluationShares]
) -> DataLoader[Any]:
    """A DataLoader's batches shared out, so that `accelerator.prepare` takes it as it is.

    It moves batches to the process's device, and tells `gather_for_metrics` where it ends.

    Args:
        dataloader: of whole batches, as on one process.
        kind: how they are shared out.
    """
    batches = kind(dataloader.sampler, dataloader.batch_size or 1, *this_process())
    dataloader = DataLoader(
        dataloader.dataset, batch_sampler=batches, collate_fn=dataloader.collate_fn
    )
    return _prepared(dataloader, num_processes=1, process_index=0)


def shared_by_accelerate(dataloader: DataLoader[Any], *, split_batches: bool) -> DataLoader[Any]:
    """A DataLoader's batches shared out as Accelerate does: each process has as many rows.

    Args:
        dataloader: of whole batches, as on one process.
        split_batches: whether a step is one batch, of which each process has a part; else each
            process has a batch of its own. What doesn't come out even is filled up with the first
            rows of the epoch.
    """
    return _prepared(dataloader, split_batches=split_batches, rng_types=["generator"])


def _prepared(dataloader: DataLoader[Any], **options: Any) -> DataLoader[Any]:
    from accelerate import PartialState
    from accelerate.data_loader import prepare_data_loader

    prepared: DataLoader[Any] = prepare_data_loader(
        dataloader, PartialState().device, put_on_device=True, **options
    )
    # By this `accelerator.prepare` knows what was prepared before (accelerate 1.15).
    prepared._is_accelerate_prepared = True
    return prepared


def _batches(rows: Iterable[int], batch_size: int) -> Iterator[list[int]]:
    rows = list(rows)
    return (rows[first : first + batch_size] for first in range(0, len(rows), batch_size))
