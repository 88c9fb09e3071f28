"""One run makes more forward passes in a step: those that both make are held side by side."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, labels, mlp, rows, seeded, sgd, state

STEPS = 3


def with_loss(second: bool, more: float) -> dict[str, Any]:
    """A model that gives its loss; the second run calls it once more, to no effect."""
    inner = mlp()

    def call(_: Any, x: Tensor, y: Tensor, constant: float = 0.0) -> dict[str, Tensor]:
        gives = inner(x)
        return {"loss": cross_entropy(gives, y) + constant, "logits": gives}

    model = Named(call, inner=inner)
    optimizer = sgd(model)
    losses: list[float] = []
    for step in range(STEPS):
        optimizer.zero_grad()
        x, y = rows(seed=step), labels(seed=step)
        loss = model(x, y, more if second else 0.0)["loss"]
        if second:
            loss = loss + 0 * model(x, y)["loss"]
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
    return {"model": state(model), "losses": losses}


@pair("batch", "loss", "forward passes: 1 and 2")
def another_loss_and_one_pass_more(second: bool) -> dict[str, Any]:
    return with_loss(second, 5.0)


@pair("", "forward passes that only one run makes", "3 in B")
def the_same_loss_and_one_pass_more(second: bool) -> dict[str, Any]:
    return with_loss(second, 0.0)


@pair("", "forward passes that only one run makes", "3 in A and 6 in B")
def no_gradients_of_passes_of_other_rows(second: bool) -> dict[str, Any]:
    """Nothing of the one step is in the other, and neither teaches anything."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(STEPS):
        optimizer.zero_grad()
        seeds = (step + 7, step + 17) if second else (step,)
        torch.stack([relu(-100 - model(rows(seed=seed))).sum() for seed in seeds]).sum().backward()
        optimizer.step()
    return state(model)


def looked_at_before(second: bool, *, training: bool) -> dict[str, Any]:
    """The second run looks at what the model gives for the rows that it learns from."""
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(), nn.Linear(6, 3)))
    optimizer = sgd(model)
    for step in range(STEPS):
        optimizer.zero_grad()
        x, looked = rows(seed=step), torch.zeros(())
        if second:
            model.train(training)
            with torch.random.fork_rng():
                torch.manual_seed(9)
                looked = model(x).sum()
            model.train()
        (cross_entropy(model(x), labels(seed=step)) + 0 * looked).backward()
        optimizer.step()
    return state(model)


@pair("", "forward passes that only one run makes")
def looked_at_in_eval_mode_before_it_learns(second: bool) -> dict[str, Any]:
    return looked_at_before(second, training=False)


@pair("", "forward passes that only one run makes")
def looked_at_with_other_random_numbers_before_it_learns(second: bool) -> dict[str, Any]:
    return looked_at_before(second, training=True)
