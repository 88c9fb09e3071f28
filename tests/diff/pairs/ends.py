"""What a model is at the end: set, loaded, replaced, pruned or changed beside the steps."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, mlp, rows, seeded, sgd, state


def left_after(second: bool, change: Callable[[Any], Any]) -> dict[str, Any]:
    """What a trained model has, in the second run after this change of it."""
    model = mlp()
    fit(model)
    if second:
        change(model)
    return state(model)


@pair("weights", "1 of 4 tensors")
def weights_set_on_the_way(second: bool) -> dict[str, Any]:
    model = mlp()
    nudge = 1e-6 if second else 0.0
    return fit(model, after=lambda step: model[0].weight.data.add_(nudge) if step == 3 else None)


@pair("update", "1 of 4 tensors, first 0.weight")
def weights_set_after_the_last_step(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    model[0].weight.data.add_(1e-6 if second else 0.0)
    return state(model)


@pair("update", "4 of 4 tensors")
def first_weights_loaded_back(second: bool) -> dict[str, Any]:
    model = mlp()
    first = state(model)
    fit(model)
    if second:
        model.load_state_dict(first)
    return state(model)


@pair("update", "4 of its 4 tensors")
def first_weights_loaded_back_by_assignment(second: bool) -> dict[str, Any]:
    model = mlp()
    first = state(model)
    fit(model)
    if second:
        model.load_state_dict(first, assign=True)
    return state(model)


@pair("update", "4 of its 4 tensors")
def another_best_is_loaded(second: bool) -> dict[str, Any]:
    model = mlp()
    best: dict[str, Any] = {}
    fit(model, after=lambda step: best.update(state(model)) if step == 2 + 2 * second else None)
    model.load_state_dict(best, assign=True)
    return state(model)


@pair("update", "first 2.weight")
def a_layer_replaced(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: setattr(model, "2", seeded(lambda: nn.Linear(6, 3), 9)))


@pair("update", "first 2.weight: float32 3x6 and float32 7x6")
def a_head_of_other_width(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: setattr(model, "2", nn.Linear(6, 7)))


@pair("update", "first 2.weight")
def a_parameter_replaced(second: bool) -> dict[str, Any]:
    return left_after(
        second, lambda model: setattr(model[2], "weight", nn.Parameter(torch.zeros(3, 6)))
    )


@pair("incomparable", "0.weight")
def a_parameter_replaced_in_the_last_step(second: bool) -> dict[str, Any]:
    model = mlp()

    def swap(step: int) -> None:
        if second and step == 5:
            model[0].weight = nn.Parameter(model[0].weight.detach().clone())

    return fit(model, before=swap)


@pair("update", "4 of 4 tensors, first 0.weight")
def halved(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    return state(model.half() if second else model)


@pair("update", "4 of 4 tensors, first 0.weight")
def doubled(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    return state(model.double() if second else model)


@pair("update", "first 0.weight_mask")
def pruned_after_the_last_step(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    prune.l1_unstructured(model[0], "weight", amount=0.6 if second else 0.2)
    return state(model)


@pair("update", "first 0.weight")
def pruned_for_good(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    prune.l1_unstructured(model[0], "weight", amount=0.6 if second else 0.2)
    prune.remove(model[0], "weight")
    return state(model)


@pair("update", "Sequential is different at the end")
def a_parametrization_added(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: parametrizations.weight_norm(model[0]))


@pair("update", "the weights changed after the last step: 1 of 4")
def a_parametrization_taken_off(second: bool) -> dict[str, Any]:
    model = mlp()
    parametrizations.orthogonal(model[0])
    fit(model)
    if second:
        parametrize.remove_parametrizations(model[0], "weight")
        model[0].weight.data.mul_(2)
    return state(model)


@pair("metrics", "weights it is made with")
def a_plain_tensor_in_place_of_a_parameter(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    if second:
        weight = model[2].weight.detach() * 2
        del model[2].weight
        model[2].weight = weight
    return {**state(model), "gives": model(rows())}


@pair("update", "Linear is different at the end")
def a_layer_of_a_tied_pair_replaced(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)))
    model[2].weight = model[0].weight
    other = nn.Linear(4, 4)
    fit(model)
    fit(other, steps=2)
    if second:
        other.weight = model[0].weight
    return {**state(model), "other": state(other)}


@pair("update", "Sequential is different at the end")
def an_earlier_fold_is_changed(second: bool) -> dict[str, Any]:
    folds = [mlp() for _ in range(3)]
    for fold in folds:
        fit(fold, steps=2)
    if second:
        folds[0][0].weight.data.zero_()
    return {"folds": [state(fold) for fold in folds]}


@pair("update", "Sequential 2 is different at the end")
def an_earlier_fold_gets_its_best_back(second: bool) -> dict[str, Any]:
    folds = [mlp() for _ in range(3)]
    first = state(folds[1])
    for number, fold in enumerate(folds):
        fit(fold, steps=2, first=10 * number)
    if second:
        folds[1].load_state_dict(first, assign=True)
    return {"folds": [state(fold) for fold in folds]}


@pair("weights", "first 0.bias")
def a_model_that_is_gone_was_changed_before(second: bool) -> dict[str, Any]:
    def train() -> dict[str, Any]:
        model = mlp()
        fit(model, steps=2)
        model[0].bias.data.fill_(2.0 if second else 1.0)
        return state(model)

    first = train()
    return {"first": first, "second": fit(seeded(lambda: nn.Linear(4, 3)))}


@pair("optimizer", "learning_rate: 0.1 and 0.2")
def a_copy_trains_on_at_another_rate(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model, steps=3)
    twin = copy.deepcopy(model)
    fit(twin, sgd(twin, 0.2 if second else 0.1), steps=2)
    return {"model": state(model), "copy": state(twin)}


@pair("update", "1 of 4 tensors, first 2.weight")
def quantized(second: bool) -> dict[str, Any]:
    def round_off(model: Any) -> None:
        model[2].weight.data = torch.round(model[2].weight.data * 16) / 16

    return left_after(second, round_off)


@pair("update", "4 of 4 tensors")
def average_of_the_last_weights_is_loaded(second: bool) -> dict[str, Any]:
    model = mlp()
    seen: list[dict[str, Any]] = []
    fit(model, after=lambda step: seen.append(state(model)))
    last = seen[-3:] if second else seen[-2:]
    model.load_state_dict({n: torch.stack([s[n] for s in last]).mean(0) for n in last[0]})
    return state(model)


@pair("update", "is different at the end")
def a_running_mean_is_reset(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    fit(model)
    other = mlp()
    fit(other, steps=1)
    if second:
        model[1].reset_running_stats()
    return {"model": state(model), "other": state(other)}


@pair()
def a_layer_replaced_by_its_equal(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: setattr(model, "2", copy.deepcopy(model[2])))


@pair()
def weights_loaded_that_it_has(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: model.load_state_dict(state(model), assign=True))


@pair()
def another_name_for_the_same_model(second: bool) -> dict[str, Any]:
    model = mlp()
    if second:
        wrapped = nn.Sequential()
        wrapped.add_module("module", model)
        fit(wrapped)
    else:
        fit(model)
    return state(model)
