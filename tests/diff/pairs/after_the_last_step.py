"""Passes after the last step that autograd goes through, or torch.func: no step follows them."""

from typing import Any

import torch
from torch.nn.functional import cross_entropy

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, labels, mlp, rows


@pair("metrics", "evaluations get different rows of input")
def gradients_of_other_rows_after_the_last_step(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    cross_entropy(model(rows(seed=9 if second else 8)), labels()).backward()
    return {"gradients": [p.grad for p in model.parameters()]}


@pair("metrics", "evaluations get different rows of cross_entropy.target")
def a_norm_of_gradients_for_other_labels(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    loss = cross_entropy(model(rows()), labels(seed=6 if second else 5))
    return {"gradients": list(torch.autograd.grad(loss, list(model.parameters())))}


@pair("incomparable", "torch.func calls the model", unseen=True)
def derivatives_by_other_rows(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    return {"derivatives": torch.func.jacrev(model)(rows(seed=8 if second else 5))}
