"""The ledger's loss is the script's own number, or there is none."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from tests.diff.pairs.small_trainings import Named, labels, mlp, rows, seeded, sgd
from tests.helpers.small import watch


def with_labels(self: Any, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    logits = self.layer(x)
    return {"loss": cross_entropy(logits, y), "logits": logits}


def losses(make: Callable[[], nn.Module], loss: Callable[[Any], Tensor]) -> tuple[Any, float]:
    """Of one step: what the ledger has as the pass's outputs, and the script's own number."""
    own: list[float] = []

    def train() -> None:
        model = seeded(make)
        optimizer = sgd(model)
        value = loss(model)
        own.append(value.item())
        value.backward()
        optimizer.step()

    (step,) = watch(train).steps
    return step["forward"][0], own[0]


def labelled() -> nn.Module:
    return Named(with_labels, layer=nn.Linear(4, 3))


@pytest.mark.parametrize("scale", [1.0, 1 / 2, 1 / 3, 1 / 24, 65536.0, 65536 / 3])
def test_a_models_own_loss_however_it_is_scaled(scale: float) -> None:
    forward, own = losses(labelled, lambda model: model(rows(), labels())["loss"] * scale)
    assert forward["loss"] * scale == pytest.approx(own)


def test_a_models_loss_that_the_script_does_not_use_is_not_its_loss() -> None:
    def dpo(model: nn.Module) -> Tensor:
        logits = model(rows(), labels())["logits"]
        return -logsigmoid(0.1 * (logits[0] - logits[1])).mean()

    forward, own = losses(labelled, dpo)
    assert "loss" not in forward
    assert forward["loss (the model's)"] != own


@pytest.mark.parametrize("share", [0.7, -1.0])
def test_a_models_loss_that_is_a_part_of_the_scripts_is_not_its_loss(share: float) -> None:
    def distil(model: nn.Module) -> Tensor:
        given = model(rows(), labels())
        return share * given["loss"] + given["logits"].pow(2).mean()

    forward, _ = losses(labelled, distil)
    assert "loss" not in forward
    assert forward["loss (the model's)"] > 0


def test_a_number_from_which_the_loss_is_made_is_not_the_loss() -> None:
    forward, _ = losses(
        lambda: Named(lambda self, x: self.layer(x).mean(), layer=nn.Linear(4, 3)),
        lambda model: (model(rows()) - 0.37).pow(2),
    )
    assert list(forward) == ["output"]


def test_the_second_of_two_outputs() -> None:
    def call(self: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.layer(x)
        return logits, cross_entropy(logits, y)

    forward, own = losses(
        lambda: Named(call, layer=nn.Linear(4, 3)), lambda model: model(rows(), labels())[1]
    )
    assert forward["loss"] == own


def test_a_loss_module() -> None:
    forward, own = losses(mlp, lambda model: nn.CrossEntropyLoss()(model(rows()), labels()) / 3)
    assert forward["loss"] / 3 == pytest.approx(own)


def test_two_loss_modules_of_which_the_script_takes_the_sum() -> None:
    def both(model: nn.Module) -> Tensor:
        given = model(rows())
        return nn.CrossEntropyLoss()(given, labels()) + nn.MSELoss()(given, torch.zeros(8, 3))

    forward, _ = losses(mlp, both)
    assert {*forward} == {"output", "CrossEntropyLoss", "MSELoss"}


def test_a_module_that_only_measures_is_no_loss() -> None:
    def measured(model: nn.Module) -> Tensor:
        given = model(rows())
        nn.MSELoss()(given, torch.zeros(8, 3))
        return nn.CrossEntropyLoss()(given, labels())

    forward, own = losses(mlp, measured)
    assert forward["loss"] == own
    assert "MSELoss" not in forward


def test_a_compiled_kind_of_node_with_several_outputs() -> None:
    """The node of both outputs is reached either way: only the gradients tell."""

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(_ctx: Any, logits: Tensor) -> tuple[Tensor, Tensor]:
            return logits * 2, logits.sum()

        @staticmethod
        def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
            return gradients[0] * 2

    def call(self: Any, x: Tensor) -> dict[str, Tensor]:
        logits, total = Both.apply(self.layer(x))
        return {"loss": total, "logits": logits}

    forward, own = losses(
        lambda: Named(call, layer=nn.Linear(4, 3)),
        lambda model: cross_entropy(model(rows())["logits"], labels()),
    )
    assert "loss" not in forward
    assert own > 0
