"""Which training rows a batch was made of, seen from outside the loops.

A run that stops names them: `python -m reference train manual --learning-rate 1e30`

A batch doesn't say which rows it holds, and its tokens can't tell equal rows apart. So the dataset
itself keeps the rows that the loops' DataLoaders ask it for.
"""

import math
from collections import deque
from collections.abc import Sequence

from datasets import Dataset
from torch import Tensor

from reference.lesson.recipe import Recipe


class Fetched:
    """The last batches asked of a dataset, by their numbers in the run; loops see no difference.

    A DataLoader of Accelerate's, so the Trainer's too, asks for a batch ahead of the one in use.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self._dataset = dataset
        self._per_step = recipe.gradient_accumulation_steps
        self._per_epoch = recipe.batches_per_epoch(len(dataset))
        self._last: deque[list[int]] = deque(maxlen=3 * self._per_step + 2)
        self._count = 0
        fetch = dataset.__getitems__  # what a DataLoader calls; the Trainer's copy keeps it

        def keep(rows: list[int]) -> list[dict[str, Tensor]]:
            self._last.append(list(rows))
            self._count += 1
            batch: list[dict[str, Tensor]] = fetch(rows)
            return batch

        dataset.__getitems__ = keep

    def rows(self, step: int, batches: Sequence[Tensor]) -> list[int]:
        """The rows, from 0, of the batches of a step (from 1), given the token ids of each, (n, L).

        Empty where no batches that were asked for hold these tokens.
        """
        epoch, window = divmod(step - 1, math.ceil(self._per_epoch / self._per_step))
        expected = epoch * self._per_epoch + window * self._per_step
        first = self._count - len(self._last)
        kept = list(self._last)
        places = [
            i
            for i in range(len(kept) - len(batches) + 1)
            if all(map(self._holds, kept[i : i + len(batches)], batches))
        ]
        if not places:
            return []
        place = min(places, key=lambda i: abs(first + i - expected))
        return [row for rows in kept[place : place + len(batches)] for row in rows]

    def _holds(self, rows: list[int], input_ids: Tensor) -> bool:
        wanted = self._dataset.with_format(None)[rows]["input_ids"]
        return len(wanted) == len(input_ids) and all(
            ids[: len(tokens)].tolist() == tokens
            for ids, tokens in zip(input_ids, wanted, strict=True)
        )
