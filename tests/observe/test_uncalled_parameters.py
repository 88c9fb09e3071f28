"""Parameters that an optimizer steps, and that no observed forward pass used."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from reference.diff.ledgers import diff
from reference.ledger.link_table import LINKS
from tests.diff.pairs.small_trainings import rows, seeded, sgd
from tests.helpers.small import watch


class Plain(nn.Module):
    """A module that calls no other."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight) * self.scale


def trained(by_forward: bool = True, moved: int = 0, extra: bool = False) -> Any:
    model = seeded(Plain)
    holder = nn.ModuleDict({"inner": model}) if by_forward else model
    beside = nn.Parameter(torch.ones(()))
    optimizer = sgd(holder)
    if extra:
        optimizer.add_param_group({"params": [beside], "lr": 0.3})
    for step in range(1, 4):
        optimizer.zero_grad()
        x = rows(seed=step)
        given = model.forward(x) if by_forward else model(x)
        (given.pow(2).mean() * (beside if extra else 1)).backward()
        if step == moved:
            model.scale.data.add_(1e-3)
        optimizer.step()
    return holder


def test_a_module_called_by_its_forward_is_named_by_its_owner() -> None:
    ledger = watch(trained)
    (model,) = ledger.models
    assert model["class"] == "ModuleDict"
    assert [name for name, _ in model["parameters"]] == ["inner.weight", "inner.scale"]
    for step in ledger.steps:
        assert {"weights", "clip", "optimizer", "update", "schedule", "unseen"} <= step.keys()
    assert "gradient" in ledger.steps[1]
    assert ledger.end is not None
    assert "-" not in ledger.end["tensors"]


def test_its_weights_are_compared() -> None:
    same = diff(watch(trained), watch(trained))
    assert (same.verdict, same.steps) == ("incomparable", 3)
    verdict = diff(watch(trained), watch(lambda: trained(moved=2)))
    assert (verdict.verdict, verdict.step) == ("diverged", 2)
    assert "inner.scale" in verdict.detail


def test_tensors_of_no_module_beside_a_model_that_is_called() -> None:
    ledger = watch(lambda: trained(by_forward=False, extra=True))
    assert [m["class"] for m in ledger.models] == ["Plain", "tensors of an optimizer"]
    assert not any("unseen" in step for step in ledger.steps)
    assert [step["uncalled"] for step in ledger.steps] == [1] * len(ledger.steps)
    assert all(link in step for step in ledger.steps for link in LINKS)
    assert ledger.steps[0]["optimizer"]["of"].split() == ["0", "0", "0"]
    assert ledger.steps[1]["schedule"]["learning_rate"] == [0.1, 0.1, 0.3]


def test_a_model_that_is_called_later_is_seen_from_then_on() -> None:
    def train() -> None:
        model = seeded(Plain)
        optimizer = sgd(model)
        for step in range(1, 5):
            optimizer.zero_grad()
            call = model if step > 2 else model.forward
            call(rows(seed=step)).pow(2).mean().backward()
            optimizer.step()

    steps = watch(train).steps
    assert ["unseen" in step for step in steps] == [True, True, False, False]
    assert "forward" in steps[2]
