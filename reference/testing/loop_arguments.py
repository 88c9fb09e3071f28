"""What somebody's own loop gets, by the names of its parameters, as pytest gives fixtures.

Part of `assert_same_run`, whose docstring names them all.
"""

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler
from transformers import BatchEncoding, set_seed

from reference.lesson.data.pipeline import Data, get_dataloaders, training_order
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe
from reference.messages import nearest

AVAILABLE = (
    "model",
    "train_dataloader",
    "eval_dataloader",
    "data",
    "tokenizer",
    "num_training_steps",
    "num_epochs",
    "device",
    "recipe",
)


def name_of(mine: Callable[..., Any]) -> str:
    """How a callable is called, for messages."""
    return str(getattr(mine, "__name__", None) or type(mine).__name__)


def names_of(mine: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of `mine` that get something. TypeError, in one line, for an unknown one."""
    if not callable(mine):
        raise TypeError(f"{mine!r} can't be called; give a function that trains")
    try:
        parameters = inspect.signature(mine).parameters.values()
    except ValueError:  # a callable of C's
        return []
    wanted = []
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.name in AVAILABLE:
            wanted.append(p)
        elif p.default is p.empty:
            raise TypeError(f"{name_of(mine)}: {nearest('parameter', p.name, AVAILABLE)}")
    return wanted


class UpToTheEnd(Sampler[int]):
    """The recipe's order, but its last pass ends where the run does.

    `max_steps` most often ends a run within an epoch, where the lesson's loop has a `break` for it.
    """

    def __init__(self, recipe: Recipe, order: Sampler[int], rows: int) -> None:
        self._order, self._rows = order, rows
        self._rows_per_step = recipe.train_batch_size * recipe.gradient_accumulation_steps
        batches = recipe.batches_per_epoch(rows)
        self._steps_per_epoch = recipe.steps_per_epoch(batches)
        _, self._steps = recipe.duration(batches)
        self.epoch = 0

    def __len__(self) -> int:
        """Rows in the next pass. Beyond the run's end nothing is cut: that it goes on is seen."""
        left = self._steps - self.epoch * self._steps_per_epoch
        return self._rows if left <= 0 else min(self._rows, left * self._rows_per_step)

    def __iter__(self) -> Iterator[int]:
        rows = len(self)
        # A whole pass isn't cut: the order counts its epochs where it comes to an end.
        yield from self._order if rows == self._rows else islice(self._order, rows)
        self.epoch += 1

    def set_epoch(self, epoch: int) -> None:
        """As Accelerate calls it."""
        self.epoch = epoch
        if hasattr(self._order, "set_epoch"):
            self._order.set_epoch(epoch)


def hand(
    mine: Callable[..., Any], wanted: list[inspect.Parameter], recipe: Recipe, data: Data
) -> Callable[[], Any]:
    """`mine` with all that it asks for; made in the lesson's order, and seeded last."""
    names = {p.name for p in wanted}
    device = torch.device(recipe.device)
    data = _own(data)
    num_epochs, num_training_steps = recipe.duration(recipe.batches_per_epoch(len(data.train)))
    available: dict[str, Any] = {
        "data": data,
        "tokenizer": data.tokenizer,
        "num_training_steps": num_training_steps,
        "num_epochs": num_epochs,
        "device": device,
        "recipe": recipe,
    }
    if names & {"train_dataloader", "eval_dataloader"}:
        available["train_dataloader"] = _train_dataloader(recipe, data)
        available["eval_dataloader"] = get_dataloaders(recipe, data)[1]
    if "model" in names:
        available["model"] = load_model(recipe).to(device)
    arguments = [available[p.name] for p in wanted if p.kind is p.POSITIONAL_ONLY]
    keywords = {p.name: available[p.name] for p in wanted if p.kind is not p.POSITIONAL_ONLY}

    def call() -> Any:
        __tracebackhide__ = True
        return mine(*arguments, **keywords)

    set_seed(recipe.seed)  # after the model is made, where `Trainer` does it
    return call


def _train_dataloader(recipe: Recipe, data: Data) -> DataLoader[BatchEncoding]:
    order = UpToTheEnd(recipe, training_order(recipe, data.train), len(data.train))
    return DataLoader(
        data.train, batch_size=recipe.train_batch_size, sampler=order, collate_fn=data.collator
    )


def _own(data: Data) -> Data:
    """A copy to do with as one likes: the next call's data are what they were."""
    tokenizer = copy.deepcopy(data.tokenizer)
    return dataclasses.replace(
        data,
        train=data.train.with_format("torch"),
        validation=data.validation.with_format("torch"),
        tokenizer=tokenizer,
        collator=dataclasses.replace(data.collator, tokenizer=tokenizer),
    )
