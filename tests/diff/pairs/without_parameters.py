"""Evaluations by modules that have no parameter: quantised, frozen, or made of buffers."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows


class NearestMean(nn.Module):
    """Classes by the nearest of three rows."""

    def __init__(self, means: Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means)

    def forward(self, x: Tensor) -> Tensor:
        return -torch.cdist(x, self.get_buffer("means"))


def evaluated(module: nn.Module, batch: Tensor) -> Any:
    fit(mlp())
    with torch.no_grad():
        return module(batch)


@pair("metrics", "rows of x")
def other_rows_to_a_nearest_mean(second: bool) -> dict[str, Any]:
    return {"e": evaluated(NearestMean(rows(3)), rows(seed=8 if second else 7))}


@pair("metrics", "weights it is made with")
def other_means(second: bool) -> dict[str, Any]:
    return {"e": evaluated(NearestMean(rows(3, seed=2 if second else 1)), rows())}


@pair()
def a_nearest_mean_in_other_batches(second: bool) -> dict[str, Any]:
    model = NearestMean(rows(3))
    fit(mlp())
    with torch.no_grad():
        for part in rows().split(4 if second else 8):
            model(part)
    return {}


@pair("metrics")
def weights_in_a_plain_tensor(second: bool) -> dict[str, Any]:
    model: Any = Named(lambda self, x: x @ self.plain)
    model.plain = rows(4, seed=2 if second else 1)
    return {"e": evaluated(model, rows())}


@pair()
def a_loss_with_class_weights_stays_a_loss(second: bool) -> dict[str, Any]:
    model, weighted = mlp(), nn.CrossEntropyLoss(torch.ones(3))
    fit(model)
    with torch.no_grad():
        value = weighted(copy.deepcopy(model)(rows()) if second else model(rows()), labels())
    return {"loss": value}
