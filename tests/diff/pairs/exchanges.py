"""What a run ends with is exchanged, or taken out, after the last step: nothing new is there."""

from typing import Any

from torch import nn

from tests.diff.pairs import pair
from tests.diff.pairs.ends import left_after
from tests.diff.pairs.small_trainings import fit, mlp, seeded, sgd, state


def square() -> Any:
    return seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)))


@pair("update", "unequal in 4 of its 4 tensors")
def layers_exchanged(second: bool) -> dict[str, Any]:
    model = square()
    fit(model)
    if second:
        model[0], model[2] = model[2], model[0]
    return state(model)


@pair("update", "unequal in 2 of its 4 tensors, first 0.weight")
def parameters_exchanged(second: bool) -> dict[str, Any]:
    model = square()
    fit(model)
    if second:
        model[0].weight, model[2].weight = model[2].weight, model[0].weight
    return state(model)


@pair("update", "is different at the end")
def parts_exchanged_between_two_models(second: bool) -> dict[str, Any]:
    models = square(), seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)), 2)
    for model in models:
        fit(model)
    if second:
        models[0][0], models[1][0] = models[1][0], models[0][0]
    return {"first": state(models[0]), "second": state(models[1])}


@pair("update", "is different at the end")
def folds_exchanged(second: bool) -> dict[str, Any]:
    folds = [mlp(), mlp()]
    weights = [fit(fold, first=10 * number) for number, fold in enumerate(folds)]
    for fold, each in zip(folds, reversed(weights) if second else weights, strict=True):
        fold.load_state_dict(each, assign=True)
    return {str(number): state(fold) for number, fold in enumerate(folds)}


@pair()
def two_models_called_in_another_order_before_they_train(second: bool) -> dict[str, Any]:
    models = [mlp(), seeded(mlp, 2)]
    for model in reversed(models) if second else models:
        model.eval()
        model.train()
    return {str(number): fit(model, first=number) for number, model in enumerate(models)}


@pair("update", "first 2.weight: float32 3x6 and none")
def a_layer_deleted(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: model.__delitem__(2))


@pair("update", "first 2.weight: float32 3x6 and none")
def a_layer_replaced_by_one_without_weights(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: model.__setitem__(2, nn.Identity()))


@pair("update", "first 2.bias: float32 3 and none")
def a_bias_taken_out(second: bool) -> dict[str, Any]:
    return left_after(second, lambda model: setattr(model[2], "bias", None))


@pair("update", "running_mean: float32 6 and none")
def statistics_taken_out(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    fit(model)
    if second:
        model[1].running_mean = None
    return state(model)


@pair("update", "spare.weight: float32 2x2 and none")
def an_unused_layer_deleted(second: bool) -> dict[str, Any]:
    model = mlp()
    model[1].spare = nn.Linear(2, 2)
    fit(model, sgd(model))
    if second:
        del model[1].spare
    return state(model)
