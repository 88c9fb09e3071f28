"""The shared pipeline: raw text -> tokens -> batches, the same for all three loops.

    python -m reference data

Rows are tokenized in batches with truncation and padded in the collator, to the longest of their
own batch and no further. What is left of a row is `attention_mask`, `input_ids`, `labels`, and
`token_type_ids` where the encoder takes them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from datasets import Dataset, DatasetDict
from torch.utils.data import DataLoader, RandomSampler, Sampler, SequentialSampler
from transformers import BatchEncoding, DataCollatorWithPadding, PreTrainedTokenizerBase

from reference.errors import InputError
from reference.lesson.checkpoints import check_checkpoint, load_tokenizer
from reference.lesson.data.own_table import split_rule, task_of
from reference.lesson.data.shares import (
    EvaluationShares,
    TrainingShares,
    shared,
    shared_by_accelerate,
    this_process,
)
from reference.lesson.data.sources import digest, load_raw
from reference.lesson.encoders import inputs_of
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import Task

Loader = DataLoader[BatchEncoding]

COLUMNS = ["attention_mask", "input_ids", "labels", "token_type_ids"]
OPTIONAL = "token_type_ids"


@dataclass(frozen=True)
class Data:
    """What a loop trains and evaluates on, tokenized; and what the batches are made with."""

    task: Task
    train: Dataset
    validation: Dataset
    tokenizer: PreTrainedTokenizerBase
    collator: DataCollatorWithPadding
    digest: str  # SHA-256 of the raw text and labels
    split_rule: str = ""  # how the validation split was made, where the table has none of its own


def load_data(recipe: Recipe) -> Data:
    """The recipe's tokenized splits, by the tokenizer of its checkpoint.

    Raises:
        InputError: data or a checkpoint of no use.
    """
    task = task_of(recipe)
    tokenizer = load_tokenizer(recipe)
    raw_datasets = load_raw(task, recipe.data)
    # Nothing is trained or scored on a test split.
    raw_datasets.pop("test", None)
    sha256 = digest(raw_datasets)
    inputs = inputs_of(check_checkpoint(recipe))
    tokenized = tokenize(raw_datasets, task, tokenizer, recipe.max_length, inputs)
    collator = DataCollatorWithPadding(tokenizer)
    train, validation = tokenized["train"], tokenized["validation"]
    return Data(task, train, validation, tokenizer, collator, sha256, split_rule(recipe))


def tokenize(
    raw_datasets: DatasetDict,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    inputs: Collection[str],
) -> DatasetDict:
    """Each split with just the model's columns, as tensors; ids and types are int64.

    Args:
        raw_datasets: texts, `label` and `idx`.
        task: whose texts they are.
        tokenizer: of the checkpoint.
        max_length: of a row, in tokens.
        inputs: what the model takes; a tokenizer may give types of tokens to one that knows none.
    """

    def tokenize_function(example: dict[str, list[str]]) -> BatchEncoding:
        texts = [example[name] for name in task.text]
        return tokenizer(*texts, truncation=True, max_length=max_length)

    tokenized = raw_datasets.map(tokenize_function, batched=True)
    tokenized = tokenized.remove_columns([*task.text, "idx"])
    tokenized = tokenized.rename_column("label", "labels")
    if OPTIONAL not in inputs:
        spare = {OPTIONAL} & set(tokenized["train"].column_names)
        tokenized = tokenized.remove_columns([*spare])
    tokenized.set_format("torch")
    for split, dataset in tokenized.items():
        if sorted({*dataset.column_names, OPTIONAL}) != COLUMNS:
            have = ", ".join(sorted(dataset.column_names))
            raise InputError(f"{split}: the tokenizer gives {have}; an encoder needs others")
    return tokenized


def get_dataloaders(recipe: Recipe, data: Data) -> tuple[Loader, Loader]:
    """(train_dataloader, eval_dataloader); each batch holds (n, L) tensors and (n,) labels.

    L is the longest of that batch. Training rows come in the recipe's order, evaluation rows in
    their own. On several processes n is this one's share, by the recipe's `sharing`.
    """
    train_dataloader = DataLoader(
        data.train,
        batch_size=recipe.train_batch_size,
        sampler=training_order(recipe, data.train),
        collate_fn=data.collator,
    )
    eval_dataloader = DataLoader(
        data.validation, batch_size=recipe.eval_batch_size, collate_fn=data.collator
    )
    if this_process()[1] > 1:
        if recipe.sharing == "exact":
            train_dataloader = shared(train_dataloader, TrainingShares)
            eval_dataloader = shared(eval_dataloader, EvaluationShares)
        else:
            split = recipe.sharing == "split"
            train_dataloader = shared_by_accelerate(train_dataloader, split_batches=split)
            eval_dataloader = shared_by_accelerate(eval_dataloader, split_batches=split)
    return train_dataloader, eval_dataloader


def training_order(recipe: Recipe, dataset: Dataset) -> Sampler[int]:
    """`seeded` is the stock Trainer's order; `global` that of `DataLoader(shuffle=True)`."""
    if recipe.data_order == "seeded":
        return SeededSampler(len(dataset), recipe.seed)
    if recipe.data_order == "global":
        return RandomSampler(dataset)
    return SequentialSampler(dataset)


class SeededSampler(Sampler[int]):
    """One permutation an epoch, from a generator of its own, seeded with seed + epoch.

    The rule is Accelerate's `SeedableRandomSampler`, which the Trainer turns on and Accelerate by
    itself leaves off. The global generator isn't drawn from, so that dropout doesn't move.
    """

    def __init__(self, num_rows: int, seed: int) -> None:
        self.num_rows = num_rows
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.num_rows

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        yield from torch.randperm(self.num_rows, generator=generator).tolist()
        self.epoch += 1

    def set_epoch(self, epoch: int) -> None:
        """The next pass is that of `epoch` (Accelerate calls this; a plain loop needn't)."""
        self.epoch = epoch


def windows(dataloader: Loader, batches_per_step: int) -> Iterator[list[BatchEncoding]]:
    """The batches of each optimizer step; the last list of an epoch may be shorter."""
    window = []
    for batch in dataloader:
        window.append(batch)
        if len(window) == batches_per_step:
            yield window
            window = []
    if window:
        yield window


def weighted_windows(
    dataloader: Loader, batches_per_step: int
) -> Iterator[list[tuple[BatchEncoding, float]]]:
    """As `windows`, each batch with the weight of its mean loss in the step's.

    The weight is the batch's share of the step's samples; on several processes, which average their
    gradients, it is so many times larger (`TrainingShares.weights`).
    """
    shares = dataloader.batch_sampler
    number = 0
    for batches in windows(dataloader, batches_per_step):
        if isinstance(shares, TrainingShares):
            weights = shares.weights(number, len(batches))
        else:
            sizes = [len(batch["labels"]) for batch in batches]
            weights = [size / sum(sizes) for size in sizes]
        number += len(batches)
        yield list(zip(batches, weights, strict=True))
