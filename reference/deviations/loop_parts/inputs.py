"""The data in another form: cut, swapped, padded in another way; and the classes' weights."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding

from reference.lesson.data.own_table import columns_of
from reference.lesson.data.pipeline import Data, tokenize
from reference.lesson.data.sources import load_raw
from reference.lesson.recipe import Recipe

MOST_KEPT = 8  # tokenized forms of the data: a search asks for each of them many times
_TOKENIZED: dict[Any, tuple[Dataset, Dataset]] = {}


def cut_at(max_length: int, data: Data, recipe: Recipe) -> Data:
    """Longer inputs truncated to so many tokens; the same data where there are none."""
    splits = (data.train, data.validation)
    longest = max(len(ids) for split in splits for ids in split.with_format(None)["input_ids"])
    return _tokenize(data, recipe, max_length) if longest > max_length else data


def sentences_swapped(data: Data, recipe: Recipe) -> Data:
    """Each pair's second sentence before its first."""
    return _tokenize(replace(data, task=replace(data.task, text=data.task.text[::-1])), recipe)


def truncated_left(data: Data, recipe: Recipe) -> Data:
    """What is too long is cut at its beginning."""
    tokenizer = copy.deepcopy(data.tokenizer)
    tokenizer.truncation_side = "left"
    return _tokenize(replace(data, tokenizer=tokenizer), recipe)


def _tokenize(data: Data, recipe: Recipe, max_length: int | None = None) -> Data:
    """The raw text tokenized anew, with this data's task and tokenizer; the last few are kept."""
    longest = min(max_length or recipe.max_length, recipe.max_length)
    side, text = data.tokenizer.truncation_side, data.task.text
    key = (data.digest, recipe.data, recipe.checkpoint, data.task.name, text, side, longest)
    if key not in _TOKENIZED:
        _TOKENIZED[key] = _tokenized(data, recipe, longest)
        while len(_TOKENIZED) > MOST_KEPT:
            del _TOKENIZED[next(iter(_TOKENIZED))]
    train, validation = _TOKENIZED[key]
    return replace(data, train=train, validation=validation)


def _tokenized(data: Data, recipe: Recipe, longest: int) -> tuple[Dataset, Dataset]:
    raw = load_raw(columns_of(recipe), recipe.data)
    raw.pop("test", None)
    inputs = data.train.column_names
    splits = tokenize(raw, data.task, data.tokenizer, longest, inputs)
    return splits["train"], splits["validation"]


def collator_with(data: Data, **options: Any) -> DataCollatorWithPadding:
    """A collator that pads in another way."""
    return DataCollatorWithPadding(data.tokenizer, **options)


class PaddingLeft:
    """A collator that puts the padding before the tokens."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        """The batch of these rows."""
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
