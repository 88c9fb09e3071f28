"""Tensors of no module in an optimizer, beside a model that is called; and odd ways to be given."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, squares, state


def learnt_weight(
    second: bool, *, factor: float = 1.0, shift: float = 0.0, start: float = 0.0, rate: float = 0.1
) -> dict[str, Any]:
    """A loss weight that is learnt, in the model's own optimizer."""
    model = mlp()
    weight = torch.full((1,), start if second else 0.0, requires_grad=True)
    optimizer = SGD(
        [
            {"params": model.parameters()},
            {"params": [weight], "lr": rate if second else 0.1},
        ],
        0.1,
    )
    for step in range(4):
        optimizer.zero_grad()
        moved = shift if second and step == 2 else 0.0
        loss = cross_entropy(model(rows(seed=step) + moved), labels(seed=step))
        (loss * weight.exp() * (factor if second else 1.0) - weight).sum().backward()
        optimizer.step()
    return {"model": state(model), "weight": weight.detach()}


@pair()
def a_learnt_weight_of_the_loss(second: bool) -> dict[str, Any]:
    return learnt_weight(second)


@pair("batch", "input")
def a_learnt_weight_of_the_loss_and_other_rows(second: bool) -> dict[str, Any]:
    return learnt_weight(second, shift=0.5)


@pair("weights", "tensor0")
def a_learnt_weight_of_the_loss_that_begins_elsewhere(second: bool) -> dict[str, Any]:
    return learnt_weight(second, start=1.0)


@pair("optimizer", "learning_rate")
def a_learnt_weight_of_the_loss_at_another_rate(second: bool) -> dict[str, Any]:
    return learnt_weight(second, rate=0.3)


@pair("gradient")
def a_learnt_weight_of_the_loss_and_another_loss(second: bool) -> dict[str, Any]:
    return learnt_weight(second, factor=1.5)


def masters(second: bool, *, shift: float = 0.0, lost: bool = False) -> dict[str, Any]:
    """A model in bfloat16, and float32 masters in its optimizer."""
    model = mlp().to(torch.bfloat16)
    kept = [p.detach().float().requires_grad_() for p in model.parameters()]
    optimizer = Adam(kept, 0.01)
    for step in range(4):
        model.zero_grad()
        moved = shift if second and step == 2 else 0.0
        given = (rows(seed=step) + moved).to(torch.bfloat16)
        cross_entropy(model(given).float(), labels(seed=step)).backward()
        for master, p in zip(kept, model.parameters(), strict=True):
            assert p.grad is not None
            master.grad = p.grad.float()
        optimizer.step()
        with torch.no_grad():
            for master, p in zip(kept, model.parameters(), strict=True):
                p.copy_(master)
                if lost and second:
                    master.copy_(p)
    return {"model": state(model), "masters": kept}


@pair()
def masters_of_a_half_model(second: bool) -> dict[str, Any]:
    return masters(second)


@pair("batch", "input")
def masters_of_a_half_model_and_other_rows(second: bool) -> dict[str, Any]:
    return masters(second, shift=0.5)


@pair("weights")
def masters_that_lose_their_last_bits(second: bool) -> dict[str, Any]:
    return masters(second, lost=True)


class Key:
    """Hashed by its place in memory, as plain objects are."""


def by_objects(second: bool, shift: float = 0.0) -> dict[str, Any]:
    keys = [Key(), Key()]
    kept = [Key() for _ in range(50 * second)]  # so that the others lie elsewhere
    keys += kept[:0]

    def call(self: Any, given: dict[Key, Tensor]) -> dict[Key, Tensor]:
        return {key: self.layer(each) for key, each in given.items()}

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    optimizer = SGD(model.parameters(), 0.1)
    for step in range(3):
        optimizer.zero_grad()
        moved = shift if second and step == 1 else 0.0
        gives = model({key: rows(seed=step + n) + moved for n, key in enumerate(keys)})
        sum(squares(each, each) for each in gives.values()).backward()
        optimizer.step()
    with torch.no_grad():
        gives = model({key: rows(seed=n) for n, key in enumerate(keys)})
    return {"model": state(model), "gives": list(gives.values())}


@pair()
def inputs_named_by_objects(second: bool) -> dict[str, Any]:
    return by_objects(second)


@pair("batch")
def inputs_named_by_objects_with_other_values(second: bool) -> dict[str, Any]:
    return by_objects(second, 0.5)


def forward_mode(second: bool, scale: float) -> dict[str, Any]:
    """A directional derivative, by dual numbers."""
    model = mlp()
    fit(model)
    with warnings.catch_warnings(), forward_ad.dual_level(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, of its own
        direction = rows(seed=9) * (scale if second else 1.0)
        gives = model(forward_ad.make_dual(rows(), direction))
        tangent = forward_ad.unpack_dual(gives).tangent
    return {"tangent": tangent}


@pair()
def the_same_tangents(second: bool) -> dict[str, Any]:
    return forward_mode(second, 1.0)


@pair("metrics", "tangent")
def other_tangents(second: bool) -> dict[str, Any]:
    return forward_mode(second, 2.0)
