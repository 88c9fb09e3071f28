"""Loaders, the orders in which they go through the rows, and the generators behind an order."""

import math
from collections.abc import Iterator, Sized
from typing import Any

from torch.utils.data import DataLoader, Sampler
from transformers import set_seed

from reference.lesson.data.pipeline import Data, SeededSampler
from reference.lesson.recipe import Recipe


def dataloader_with(dataloader: DataLoader[Any], **changes: Any) -> DataLoader[Any]:
    """The same loader but for these options of `DataLoader`; `shuffle` replaces the sampler."""
    names = ("dataset", "batch_size", "sampler", "collate_fn", "drop_last")
    options = {name: getattr(dataloader, name) for name in names}
    if "shuffle" in changes:
        del options["sampler"]
    return DataLoader(**{**options, **changes})


def seeded_sampler(recipe: Recipe, data: Data) -> SeededSampler:
    """The stock Trainer's order."""
    return SeededSampler(len(data.train), recipe.seed)


class SameOrder(Sampler[int]):
    """A sampler's first order again in each epoch, as where `set_epoch` is never called."""

    def __init__(self, sampler: Sampler[int]) -> None:
        self.sampler = sampler
        self.order: list[int] = []

    def __len__(self) -> int:
        assert isinstance(self.sampler, Sized)
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        self.order = self.order or list(self.sampler)
        return iter(self.order)


class FromTheFirstBatch(Sampler[int]):
    """An order that begins anew after `steps` optimizer steps, as where a resumed run skips none.

    Within an epoch it is that epoch's order again. At an epoch's end it is the first epoch's, as
    in a new process whose epochs count from 0.
    """

    def __init__(self, dataloader: DataLoader[Any], recipe: Recipe, steps: int) -> None:
        self.sampler: Any = dataloader.sampler
        self.epoch, steps_within = divmod(steps, recipe.steps_per_epoch(len(dataloader)))
        assert dataloader.batch_size is not None
        self.rows = steps_within * recipe.gradient_accumulation_steps * dataloader.batch_size
        self.passes = 0

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        if self.passes == self.epoch and not self.rows and hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(0)
        order = list(self.sampler)
        if self.passes == self.epoch:
            yield from order[: self.rows]
        self.passes += 1
        yield from order


class PaddedWithRepeats(Sampler[int]):
    """Rows in their order, filled up from the first so that each process has whole batches."""

    def __init__(self, num_rows: int, multiple: int) -> None:
        self.order = [i % num_rows for i in range(math.ceil(num_rows / multiple) * multiple)]

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)


def seed_as_a_new_process(recipe: Recipe, dataloader: DataLoader[Any], steps: int) -> None:
    """The generators as a resumed run has them that sets its seed and loads no state."""
    set_seed(recipe.seed)
    if steps % recipe.steps_per_epoch(len(dataloader)):
        # Such a run makes a new iterator within the epoch, and that draws a number. At an epoch's
        # end the loop itself makes one.
        iter(dataloader)
