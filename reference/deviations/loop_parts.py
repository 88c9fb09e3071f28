"""What a deviation needs that is too long for a line in the loop: loaders, samplers, metrics.

Used by the edited loop that `python -m reference explain` trains.
"""

import copy
import math
from collections.abc import Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler
from transformers import DataCollatorWithPadding, set_seed

from reference.lesson.data.pipeline import Data, SeededSampler, tokenize
from reference.lesson.data.sources import load_raw
from reference.lesson.metrics import GlueMetric, load_metric
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task

KEPT = 8  # tokenized forms of the data, of which a search asks for each many times
_TOKENIZED: dict[Any, tuple[Dataset, Dataset]] = {}


def rebuilt(dataloader: DataLoader[Any], **changes: Any) -> DataLoader[Any]:
    """The same loader but for these options of `DataLoader`; `shuffle` replaces the sampler."""
    names = ("dataset", "batch_size", "sampler", "collate_fn", "drop_last")
    options = {name: getattr(dataloader, name) for name in names}
    if "shuffle" in changes:
        del options["sampler"]
    return DataLoader(**{**options, **changes})


def seeded(recipe: Recipe, data: Data) -> SeededSampler:
    """The stock Trainer's order."""
    return SeededSampler(len(data.train), recipe.seed)


class SameOrder(Sampler[int]):
    """A sampler's first order again and again, as where nobody calls `set_epoch`."""

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
        steps_per_epoch = math.ceil(len(dataloader) / recipe.gradient_accumulation_steps)
        self.epoch, within = divmod(steps, steps_per_epoch)
        assert dataloader.batch_size is not None
        self.rows = within * recipe.gradient_accumulation_steps * dataloader.batch_size
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


def cut_at(max_length: int, data: Data, recipe: Recipe) -> Data:
    """Longer inputs truncated to so many tokens; the same data where there are none."""
    splits = (data.train, data.validation)
    longest = max(len(ids) for split in splits for ids in split.with_format(None)["input_ids"])
    return tokenized(data, recipe, max_length) if longest > max_length else data


def swapped(data: Data, recipe: Recipe) -> Data:
    """Each pair's second sentence before its first."""
    return tokenized(replace(data, task=replace(data.task, text=data.task.text[::-1])), recipe)


def truncated_left(data: Data, recipe: Recipe) -> Data:
    """What is too long is cut at its beginning."""
    tokenizer = copy.deepcopy(data.tokenizer)
    tokenizer.truncation_side = "left"
    return tokenized(replace(data, tokenizer=tokenizer), recipe)


def tokenized(data: Data, recipe: Recipe, max_length: int | None = None) -> Data:
    """The raw text tokenized anew, with this data's task and tokenizer; the last few are kept."""
    longest = min(max_length or recipe.max_length, recipe.max_length)
    side, text = data.tokenizer.truncation_side, data.task.text
    key = (data.digest, recipe.data, recipe.checkpoint, data.task.name, text, side, longest)
    if key not in _TOKENIZED:
        _TOKENIZED[key] = _tokenized(data, recipe, longest)
        while len(_TOKENIZED) > KEPT:
            del _TOKENIZED[next(iter(_TOKENIZED))]
    train, validation = _TOKENIZED[key]
    return replace(data, train=train, validation=validation)


def _tokenized(data: Data, recipe: Recipe, longest: int) -> tuple[Dataset, Dataset]:
    raw = load_raw(get_task(data.task.name), recipe.data)
    raw.pop("test", None)
    splits = tokenize(raw, data.task, data.tokenizer, longest)
    return splits["train"], splits["validation"]


def padding(data: Data, **options: Any) -> DataCollatorWithPadding:
    """A collator that pads in another way."""
    return DataCollatorWithPadding(data.tokenizer, **options)


class PaddingLeft:
    """A collator that puts the padding before the tokens."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        tokenizer = self.data.tokenizer
        side, tokenizer.padding_side = tokenizer.padding_side, "left"
        try:
            return self.data.collator(rows)
        finally:
            tokenizer.padding_side = side


def class_weights(data: Data, how: str, device: torch.device) -> torch.Tensor:
    """Weights from the training labels' counts: `balanced` is n / (classes * count)."""
    labels = torch.as_tensor(np.asarray(data.train.with_format(None)["labels"]))
    counts = torch.bincount(labels, minlength=len(data.task.labels)).float().clamp(min=1)
    weights = {
        "balanced": counts.sum() / (len(counts) * counts),
        "inverse": 1.0 / counts,
        "one minus share": 1.0 - counts / counts.sum(),
        "by the largest": counts.max() / counts,
    }[how]
    return weights.to(device)


def in_modules(names: Sequence[str], parameter: str) -> bool:
    """Whether a parameter is one of these, or in one of these modules."""
    return any(parameter == name or parameter.startswith(f"{name}.") for name in names)


def restart(lr_scheduler: Any) -> None:
    """The schedule at its beginning, as a new one has it."""
    lr_scheduler.last_epoch = 0
    for group, rate in zip(lr_scheduler.optimizer.param_groups, lr_scheduler.base_lrs, strict=True):
        group["lr"] = rate * lr_scheduler.lr_lambdas[0](0)


def rounded(lr_scheduler: Any, how: str) -> Any:
    """The same straight line as transformers' linear schedule, computed in another order.

    That is `lr * (float(total - step) / float(total - warmup))`. The other ways of writing it are
    equal in real numbers, and differ in a rate's last bit at some of the steps.
    """
    factor = lr_scheduler.lr_lambdas[0]
    warmup, total = (factor.keywords[f"num_{n}_steps"] for n in ("warmup", "training"))
    falling = max(1, total - warmup)
    if how == "LinearLR":
        if warmup:
            raise ValueError("torch's LinearLR falls from the first step on")
        return torch.optim.lr_scheduler.LinearLR(lr_scheduler.optimizer, 1.0, 0.0, total)
    if how == "1 - step / total":
        lr_scheduler.lr_lambdas = [
            lambda step: factor(step) if step < warmup else max(0.0, 1 - (step - warmup) / falling)
        ] * len(lr_scheduler.lr_lambdas)
        return lr_scheduler
    if how != "lr * steps left / total":
        raise ValueError(f"no way of writing a schedule: {how}")

    def rates() -> list[float]:
        step = lr_scheduler.last_epoch
        if step < warmup:
            return [rate * factor(step) for rate in lr_scheduler.base_lrs]
        return [rate * max(0, total - step) / falling for rate in lr_scheduler.base_lrs]

    lr_scheduler.get_lr = rates
    return lr_scheduler


def seed_as_a_new_process(recipe: Recipe, dataloader: DataLoader[Any], steps: int) -> None:
    """The generators as a resumed run has them that sets its seed and loads no state."""
    set_seed(recipe.seed)
    if steps % math.ceil(len(dataloader) / recipe.gradient_accumulation_steps):
        iter(dataloader)  # begun anew within an epoch, it draws; the next epoch does so by itself


class AverageOfBatches:
    """Scores of each batch, averaged: a smaller last batch weighs as much as the others."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.scores: list[dict[str, float]] = []

    def add_batch(self, predictions: Any, references: Any) -> None:
        metric = load_metric(self.task)
        metric.add_batch(predictions=predictions, references=references)
        self.scores.append(dict(metric.compute()))

    def compute(self) -> dict[str, float]:
        names = self.scores[0]
        return {n: sum(s[n] for s in self.scores) / len(self.scores) for n in names}


class OtherF1(GlueMetric):
    """F1 of class 0, or averaged over classes: `macro`, `weighted` by rows, `micro` (accuracy)."""

    def __init__(self, task: str, average: str) -> None:
        super().__init__(config_name=get_task(task).name, keep_in_memory=True)
        self.average = average

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = super()._compute(predictions, references)
        p, r = np.asarray(predictions), np.asarray(references)
        classes = sorted({*p.tolist(), *r.tolist()})
        each = {c: _f1_of(c, p, r) for c in classes}
        if self.average == "class 0":
            scores["f1"] = each.get(0, 0.0)
        elif self.average == "macro":
            scores["f1"] = float(np.mean(list(each.values())))
        elif self.average == "weighted":
            scores["f1"] = float(np.average([each[c] for c in classes], weights=_rows(r, classes)))
        else:
            scores["f1"] = float((p == r).mean())
        return scores


def _f1_of(label: int, p: "np.ndarray", r: "np.ndarray") -> float:
    total = int((p == label).sum()) + int((r == label).sum())
    return 2 * int(((p == label) & (r == label)).sum()) / total if total else 0.0


def _rows(r: "np.ndarray", classes: list[int]) -> list[int]:
    return [int((r == c).sum()) for c in classes]
