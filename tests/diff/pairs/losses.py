"""Evaluations by a loss alone, of a module of its own or of the model."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd


def with_labels(**shown: Any) -> nn.Module:
    def call(self: Any, x: Tensor, labels: Tensor) -> Any:
        logits = self.layer(x)
        loss = cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits} if shown else loss

    model: nn.Module = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        gives = model(rows(seed=step), labels(seed=step))
        (gives["loss"] if shown else gives).backward()
        optimizer.step()
    return model


@pair("metrics", "rows of given[1]", "loss")
def other_labels(second: bool) -> dict[str, Any]:
    model = with_labels(logits=True)
    with torch.no_grad():
        return {"loss": model(rows(), (labels() + second) % 3)["loss"]}


@pair("metrics", "rows of")
def only_the_loss_comes_out(second: bool) -> dict[str, Any]:
    model = with_labels()
    with torch.no_grad():
        return {"loss": model(rows(seed=5 + second), labels())}


@pair("metrics", "CrossEntropyLoss")
def targets_of_a_loss_module(second: bool) -> dict[str, Any]:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    fit(model, loss=criterion)
    with torch.no_grad():
        return {"loss": criterion(model(rows()), (labels() + second) % 3)}


@pair("metrics", "CrossEntropyLoss")
def smoothing_of_a_loss_module_in_an_evaluation(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.3 if second else 0.0)
    with torch.no_grad():
        return {"loss": criterion(model(rows()), labels())}


@pair("metrics", "CrossEntropyLoss")
def class_weights_of_a_loss_module_in_an_evaluation(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    criterion = nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0 + second]))
    with torch.no_grad():
        return {"loss": criterion(model(rows()), labels())}


@pair("metrics", "BCEWithLogitsLoss")
def targets_of_one_output(second: bool) -> dict[str, Any]:
    model, criterion = mlp(1), nn.BCEWithLogitsLoss()
    fit(model, loss=lambda out, y: criterion(out.squeeze(-1), (y > 0).float()))
    with torch.no_grad():
        wanted = (labels() > 0).float()
        return {"loss": criterion(model(rows()).squeeze(-1), 1 - wanted if second else wanted)}


@pair("metrics", "TripletMarginLoss")
def margins_of_a_loss_module(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    criterion = nn.TripletMarginLoss(margin=2.0 if second else 1.0)
    with torch.no_grad():
        return {"loss": criterion(*(model(rows(seed=seed)) for seed in (1, 2, 3)))}


@pair("metrics", "CrossEntropyLoss")
def targets_with_gradients_on(second: bool) -> dict[str, Any]:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    fit(model, loss=criterion)
    return {"loss": criterion(model(rows()), (labels() + second) % 3).detach()}


@pair("metrics", "MSELoss")
def an_autoencoder_in_batches_of_another_size(second: bool) -> dict[str, Any]:
    model, criterion = mlp(4), nn.MSELoss(reduction="none")
    fit(model, loss=lambda out, _: out.pow(2).mean())
    shift = 1.0 if second else 0.0
    with torch.no_grad():
        return {"loss": [criterion(model(part), part + shift) for part in rows(16).split(8)]}
