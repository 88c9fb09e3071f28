"""What takes turns: the bare step, the pipeline, plain batches, and a loop as it stands.

The bare step is forward, backward, clip, step, zero on batches that were collated and moved
beforehand, with nothing around it. The pipeline only fetches those batches. The plain batches are
the same ones, made of lists in memory by the least code that does it.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.optim import AdamW
from transformers import get_scheduler, set_seed

from benchmarks.timing.turns import Participant
from reference.errors import InputError
from reference.lesson.data.pipeline import Data, get_dataloaders, training_order
from reference.lesson.model import load_model, parameter_groups
from reference.lesson.recipe import Recipe


def pipeline_batches(recipe: Recipe, data: Data) -> Iterator[dict[str, torch.Tensor]]:
    """The first `max_steps` batches of the run, as the loops get them.

    Raises:
        InputError: an epoch has fewer. The next epoch's iterator would draw from the generator
            before the steps of this one, which makes it another run.
    """
    dataloader, _ = get_dataloaders(recipe, data)
    if recipe.max_steps > len(dataloader):
        raise InputError(
            f"steps: {recipe.max_steps - 1} and one before are more than an epoch's "
            f"{len(dataloader)} batches; give fewer"
        )
    return islice((dict(batch) for batch in dataloader), recipe.max_steps)


def bare_step(recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    """The bare step as a participant; the schedule's step isn't timed."""

    def train(participant: Participant) -> None:
        device = torch.device(recipe.device)
        model = load_model(recipe)
        model.to(device)
        set_seed(recipe.seed)
        # At the place where the loops make their iterator, since it draws from the generator.
        batches = [{k: v.to(device) for k, v in b.items()} for b in pipeline_batches(recipe, data)]
        optimizer = AdamW(
            parameter_groups(model, recipe.weight_decay),
            lr=recipe.learning_rate,
            betas=(recipe.adam_beta1, recipe.adam_beta2),
            eps=recipe.adam_epsilon,
            fused=True,
        )
        lr_scheduler = get_scheduler("linear", optimizer, recipe.num_warmup_steps, recipe.max_steps)
        model.train()
        step = _step(model, optimizer, recipe.max_grad_norm)
        for batch in batches:
            participant.clock.restart()
            step(batch)
            lr_scheduler.step()

    return train


def _step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, max_grad_norm: float
) -> Callable[[dict[str, torch.Tensor]], None]:
    def step(batch: dict[str, torch.Tensor]) -> None:
        optimizer.zero_grad()  # of the step before: the time ends where the optimizer has stepped
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        optimizer.step()

    return step


def pipeline(recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    """The pipeline as a participant: one batch a step, fetched and collated."""

    def fetch(participant: Participant) -> None:
        set_seed(recipe.seed)
        for _ in pipeline_batches(recipe, data):
            participant.end_step()

    return fetch


def plain_batches(recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    """Plain batches as a participant: Python's work as the pipeline is, to compare that with."""

    def make(participant: Participant) -> None:
        for _ in batches_of_lists(recipe, data):
            participant.end_step()

    return make


def batches_of_lists(recipe: Recipe, data: Data) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of `pipeline_batches`, made of rows that are lists already, padded with zeros."""
    size = recipe.train_batch_size
    order = list(islice(training_order(recipe, data.train), recipe.max_steps * size))
    rows = data.train.select(order).with_format(None).to_list()
    for first in range(0, len(rows), size):
        chosen = rows[first : first + size]
        longest = max(len(row["input_ids"]) for row in chosen)
        batch = {"labels": torch.tensor([row["labels"] for row in chosen])}
        for name in ("input_ids", "token_type_ids", "attention_mask"):
            padded = [row[name] + [0] * (longest - len(row[name])) for row in chosen]
            batch[name] = torch.tensor(padded)
        yield batch


def loop(train: Callable[[Recipe, Data], Any], recipe: Recipe, data: Data) -> Callable[..., None]:
    """A loop, unchanged, as a participant."""

    def run(participant: Participant) -> None:
        train(recipe, data)

    return run
