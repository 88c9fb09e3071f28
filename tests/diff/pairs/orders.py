"""The same done in another order, or divided otherwise: no other run where nothing follows."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, labels, mlp, rows, seeded, sgd, squares, state

STEPS = 4


def two_models() -> tuple[nn.Sequential, nn.Sequential]:
    return mlp(), seeded(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), 2)


def two_alike() -> tuple[nn.Sequential, nn.Sequential]:
    """Of one class and other values."""
    other: nn.Sequential = seeded(
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), 2
    )
    return mlp(), other


def in_parts(second: bool, scale: float = 1.0) -> dict[str, Any]:
    """The body and the head called one after another, or the one model that holds both."""
    body: nn.Module = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh()))
    head: nn.Module = seeded(lambda: nn.Linear(6, 3), 2)
    whole = nn.Sequential(body, head)
    optimizer = sgd(whole)
    for step in range(STEPS):
        optimizer.zero_grad()
        x = rows(seed=step)
        gives = whole(x) if second else head(body(x))
        (scale * cross_entropy(gives, labels(seed=step))).backward()
        optimizer.step()
    return state(whole)


@pair()
def parts_called_or_the_whole(second: bool) -> dict[str, Any]:
    return in_parts(second)


@pair("batch", "forward passes: 2 and 1")
def parts_called_or_the_whole_with_another_loss(second: bool) -> dict[str, Any]:
    return in_parts(second, 1.5 if second else 1.0)


def parts_evaluated(second: bool, shift: float = 0.0) -> dict[str, Any]:
    body: nn.Module = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh()))
    head: nn.Module = seeded(lambda: nn.Linear(6, 3), 2)
    whole = nn.Sequential(body, head)
    fit(whole)
    with torch.no_grad():
        x = rows(seed=7) + shift
        return {"gives": whole(x) if second else head(body(x))}


def two_evaluated(second: bool, models: Any, shift: float = 0.0) -> dict[str, Any]:
    trained = models()
    for number, model in enumerate(trained):
        fit(model, first=10 * number)
    order = (1, 0) if second else (0, 1)
    gives: dict[int, Tensor] = {}
    with torch.no_grad():
        for number in order:
            moved = shift if second and number == 1 else 0.0
            gives[number] = trained[number](rows(seed=number) + moved)
    return {str(number): gives[number] for number in (0, 1)}


@pair()
def two_models_evaluated_in_another_order(second: bool) -> dict[str, Any]:
    return two_evaluated(second, two_models)


@pair()
def two_alike_models_evaluated_in_another_order(second: bool) -> dict[str, Any]:
    return two_evaluated(second, two_alike)


@pair("metrics", "rows of input")
def two_models_evaluated_in_another_order_one_with_other_rows(second: bool) -> dict[str, Any]:
    return two_evaluated(second, two_alike, 0.5)


def two_frozen_evaluated(second: bool, shift: float = 0.0) -> dict[str, Any]:
    """A model that trains, and two that don't, of one class."""
    model, *frozen = mlp(), seeded(mlp, 2), seeded(mlp, 3)
    fit(model)
    gives: dict[int, Tensor] = {}
    with torch.no_grad():
        for number in (1, 0) if second else (0, 1):
            gives[number] = frozen[number](rows(seed=3) + (shift if second and number else 0.0))
    return {"model": state(model), **{str(n): gives[n] for n in (0, 1)}}


@pair()
def two_frozen_models_evaluated_in_another_order(second: bool) -> dict[str, Any]:
    return two_frozen_evaluated(second)


@pair("metrics", "rows of input")
def two_frozen_models_in_another_order_one_with_other_rows(second: bool) -> dict[str, Any]:
    return two_frozen_evaluated(second, 0.5)


@pair("metrics")
def evaluations_that_draw_numbers_in_another_order(second: bool) -> dict[str, Any]:
    made = [
        seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(), nn.Linear(6, 3)), n)
        for n in (1, 2)
    ]
    for number, model in enumerate(made):
        fit(model, first=10 * number)
    torch.manual_seed(3)
    gives: dict[int, Tensor] = {}
    with torch.no_grad():
        for number in (1, 0) if second else (0, 1):
            gives[number] = made[number](rows())
    return {str(n): gives[n] for n in (0, 1)}


def two_optimizers(second: bool, models: Any = two_models, rate: float = 0.1) -> dict[str, Any]:
    """One loss of both models, and an optimizer for each."""
    one, other = models()
    optimizers = [SGD(one.parameters(), 0.1), Adam(other.parameters(), 0.01)]
    optimizers[0] = SGD(one.parameters(), rate if second else 0.1)
    for step in range(STEPS):
        for optimizer in optimizers:
            optimizer.zero_grad()
        gives = one(rows(seed=step)) + other(rows(seed=step))
        cross_entropy(gives, labels(seed=step)).backward()
        for optimizer in reversed(optimizers) if second else optimizers:
            optimizer.step()
    return {"one": state(one), "other": state(other)}


@pair()
def two_optimizers_stepped_in_another_order(second: bool) -> dict[str, Any]:
    return two_optimizers(second)


@pair("optimizer")
def two_optimizers_in_another_order_one_at_another_rate(second: bool) -> dict[str, Any]:
    return two_optimizers(second, rate=0.2)


@pair("optimizer")
def two_optimizers_of_the_same_weights_in_another_order(second: bool) -> dict[str, Any]:
    """Not independent: each moves the same tensors, and the second by what it remembers."""
    model = mlp()
    optimizers = [SGD(model.parameters(), 0.1, weight_decay=0.1), Adam(model.parameters(), 0.01)]
    for step in range(STEPS):
        model.zero_grad()
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        for optimizer in reversed(optimizers) if second else optimizers:
            optimizer.step()
    return state(model)


def two_passes(second: bool, models: Any = two_models, factor: float = 1.0) -> dict[str, Any]:
    """Two independent passes of one step."""
    one, other = models()
    optimizer = SGD([*one.parameters(), *other.parameters()], 0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        gives: dict[int, Tensor] = {}
        for number in (1, 0) if second else (0, 1):
            given = rows(seed=step + 10 * number)
            gives[number] = (one, other)[number](given * (factor if second and number else 1.0))
        (cross_entropy(gives[0], labels(seed=step)) + squares(gives[1], gives[0])).backward()
        optimizer.step()
    return {"one": state(one), "other": state(other)}


@pair()
def two_passes_of_a_step_in_another_order(second: bool) -> dict[str, Any]:
    return two_passes(second)


@pair()
def two_passes_of_alike_models_in_another_order(second: bool) -> dict[str, Any]:
    return two_passes(second, two_alike)


@pair("batch")
def two_passes_in_another_order_one_of_other_rows(second: bool) -> dict[str, Any]:
    return two_passes(second, factor=1.5)


def one_more(second: bool, shift: float = 0.0, size: int = 8) -> dict[str, Any]:
    model = mlp()
    fit(model)
    model.eval()
    with torch.no_grad():
        gives = [model(part + shift * second) for part in rows(16).split(size)]
        if second:
            for part in rows(16).split(size):
                model(part + shift)
    return {"model": state(model), "gives": gives}


@pair("", "an evaluation that the other run didn't make")
def one_evaluation_more_without_a_step_between(second: bool) -> dict[str, Any]:
    return one_more(second)


@pair("", "an evaluation that the other run didn't make")
def one_evaluation_more_in_one_batch(second: bool) -> dict[str, Any]:
    return one_more(second, size=16)


def another_set(second: bool, count: int, size: int = 6) -> dict[str, Any]:
    """One run evaluates a second set of rows after the first."""
    model = mlp()
    fit(model)
    with torch.no_grad():
        gives = [model(part) for part in rows(16)[:count].split(size)]
        if second:
            for part in rows(16, seed=6).split(size):
                model(part)
    return {"model": state(model), "gives": gives}


@pair("", "an evaluation that the other run didn't make")
def another_set_is_evaluated_after_the_first(second: bool) -> dict[str, Any]:
    return another_set(second, 16)


@pair("metrics", "count")
def fewer_rows_are_evaluated_and_another_set(second: bool) -> dict[str, Any]:
    return another_set(second, 15 if second else 16)


@pair("metrics", "count")
def batches_of_many_sizes_and_the_last_are_dropped(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    sizes = [5, 2, 5, 3, 1, 4]
    with torch.no_grad():
        parts = rows(20).split(sizes)[: 2 if second else 6]
        return {"gives": [model(part) for part in parts]}


@pair("metrics", "rows of input")
def one_evaluation_more_and_both_of_other_rows(second: bool) -> dict[str, Any]:
    return one_more(second, shift=0.5)


@pair()
def a_copy_evaluated_in_place_of_the_model(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    with torch.no_grad():
        return {"gives": (copy.deepcopy(model) if second else model)(rows())}


def alike_and_a_third(second: bool, scale: float = 1.0) -> dict[str, Any]:
    """Two alike models in another order; the first run alone calls a third one, once."""
    one, other = two_alike()
    third = seeded(lambda: nn.Linear(4, 2), 3)
    optimizer = SGD([*one.parameters(), *other.parameters()], 0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        gives = {n: (one, other)[n](rows(seed=step)) for n in ((1, 0) if second else (0, 1))}
        if step == 2 and not second:
            third(rows(seed=step))
        y = labels(seed=step)
        (cross_entropy(gives[0], y) + cross_entropy(gives[1], y) * scale).backward()
        optimizer.step()
    return {"one": state(one), "other": state(other)}


@pair("", "which takes part in no step")
def alike_models_in_another_order_and_a_third_in_one(second: bool) -> dict[str, Any]:
    return alike_and_a_third(second)


@pair("gradient")
def alike_models_in_another_order_a_third_and_another_loss(second: bool) -> dict[str, Any]:
    return alike_and_a_third(second, 2.0 if second else 1.0)


def growing(second: bool) -> dict[str, Any]:
    """Two alike models in another order, which get a layer more while they train."""
    models = [seeded(lambda: nn.Sequential(nn.Linear(4, 3)), n) for n in (1, 2)]
    for step in range(STEPS):
        if step == 2:
            for number, model in enumerate(models):
                model.append(seeded(lambda: nn.Linear(3, 3), 5 + number))
        optimizer = SGD([p for model in models for p in model.parameters()], 0.1)
        optimizer.zero_grad()
        gives = {n: models[n](rows(seed=step)) for n in ((1, 0) if second else (0, 1))}
        sum(cross_entropy(gives[n], labels(seed=step)) for n in (0, 1)).backward()  # type: ignore[union-attr]
        optimizer.step()
    return {str(n): state(model) for n, model in enumerate(models)}


@pair()
def alike_models_in_another_order_that_grow(second: bool) -> dict[str, Any]:
    return growing(second)


def between_two_optimizers(second: bool, change: Any = lambda p: None) -> dict[str, Any]:
    """Each has its own part of the model; the second run changes weights between their steps."""
    one, other = seeded(lambda: nn.Linear(4, 6)), seeded(lambda: nn.Linear(6, 3), 2)
    model = nn.Sequential(one, other)
    optimizers = [SGD(one.parameters(), 0.1, momentum=0.9), Adam(other.parameters(), 0.01)]
    for step in range(STEPS):
        model.zero_grad()
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        for number, optimizer in enumerate(reversed(optimizers) if second else optimizers):
            optimizer.step()
            if second and number == 0 and step == 1:
                with torch.no_grad():
                    change(one)
    return state(model)


@pair("weights")
def weights_changed_between_two_optimizers(second: bool) -> dict[str, Any]:
    return between_two_optimizers(second, lambda one: one.weight.mul_(1.5))


@pair("clip")
def gradients_changed_between_two_optimizers(second: bool) -> dict[str, Any]:
    return between_two_optimizers(second, lambda one: one.weight.grad.mul_(2))


@pair()
def nothing_changed_between_two_optimizers(second: bool) -> dict[str, Any]:
    return between_two_optimizers(second)


def swapped_passes(second: bool, loss: Any, act: Any = nn.ReLU) -> dict[str, Any]:
    """Two passes of one model in each step, in another order in the second run."""
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), act(), nn.Linear(6, 3)))
    optimizer = SGD(model.parameters(), 0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        seeds = (9, 8) if second else (8, 9)
        gives = {seed: model(rows(seed=seed)) for seed in seeds}
        scale = loss if second and step else 1.0
        losses = [cross_entropy(gives[seed], labels(seed=seed)) for seed in (8, 9)]
        (scale * torch.stack(losses).sum()).backward()
        optimizer.step()
    return state(model)


@pair("gradient", "B's gradients are 2 times A's")
def passes_always_in_another_order_then_another_loss(second: bool) -> dict[str, Any]:
    return swapped_passes(second, 2.0)


@pair("forward")
def passes_in_another_order_through_another_activation(second: bool) -> dict[str, Any]:
    return swapped_passes(second, 1.0, nn.GELU if second else nn.ReLU)


@pair("", "models Sequential that don't train, 1 and 0")
def alike_models_after_a_third_that_one_run_calls_first(second: bool) -> dict[str, Any]:
    """All three are alike, so that the numbers of those that train are others."""
    models = [
        seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), n)
        for n in (1, 2, 3)
    ]
    optimizer = SGD([p for model in models[:2] for p in model.parameters()], 0.1)
    if not second:
        with torch.no_grad():
            models[2](rows())
    for step in range(STEPS):
        optimizer.zero_grad()
        gives = torch.stack([models[n](rows(seed=step)) for n in (0, 1)])
        cross_entropy(gives[0], labels(seed=step)).add(squares(gives[1], gives[0])).backward()
        optimizer.step()
    return {str(n): state(model) for n, model in enumerate(models)}


@pair("weights")
def weights_changed_between_two_optimizers_in_the_same_order(second: bool) -> dict[str, Any]:
    one, other = seeded(lambda: nn.Linear(4, 6)), seeded(lambda: nn.Linear(6, 3), 2)
    model = nn.Sequential(one, other)
    optimizers = [SGD(one.parameters(), 0.1), Adam(other.parameters(), 0.01)]
    for step in range(STEPS):
        model.zero_grad()
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        optimizers[0].step()
        if second and step == 1:
            with torch.no_grad():
                other.weight.mul_(1.5)
        optimizers[1].step()
    return state(model)
