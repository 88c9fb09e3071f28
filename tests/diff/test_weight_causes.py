"""Unequal weights in the sentence: another layer's, an earlier step's, a tie that came undone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from tests.diff.pairs.small_trainings import fit, seeded, sgd
from tests.helpers.small import watch


def said_of(train: Callable[[bool], Any]) -> str:
    a, b = (watch(train, second) for second in (False, True))
    return "\n".join(lines("a and b", diff(a, b)))


def deep() -> Any:
    return seeded(lambda: nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)), nn.Linear(4, 3)))


def test_a_layer_that_is_a_copy_of_another() -> None:
    def train(second: bool) -> None:
        model = deep()
        if second:
            model[2].load_state_dict(model[1].state_dict())
        fit(model)

    said = said_of(train)
    assert "part at step 1, link weights" in said
    assert "B's 2.weight has the values of its own 1.weight; so it is with 1" in said


def test_layers_that_are_loaded_in_another_order() -> None:
    def train(second: bool) -> None:
        model = deep()
        if second:
            one, other = ({k: v.clone() for k, v in model[n].state_dict().items()} for n in (1, 2))
            model[1].load_state_dict(other)
            model[2].load_state_dict(one)
        fit(model)

    said = said_of(train)
    assert "B's 1.weight has the values of A's 2.weight; so it" in said


def test_zeros_of_several_layers_are_no_copies() -> None:
    def train(second: bool) -> None:
        model = deep()
        for layer in model[:4]:
            nn.init.zeros_(layer.bias)
        if second:
            for layer in model[1:4]:
                nn.init.zeros_(layer.weight)
        fit(model)

    assert "has the values of" not in said_of(train)


def test_a_tied_weight_that_comes_undone_while_training() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 4)
            self.head = nn.Linear(4, 20, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, ids: Tensor) -> Tensor:
            return cross_entropy(self.head(self.embedding(ids)).flatten(0, 1), ids.flatten())

    def train(second: bool) -> None:
        model: Any = seeded(Tied)
        optimizer = sgd(model)
        for step in range(1, 5):
            if second and step == 3:
                model.head.weight = nn.Parameter(model.head.weight.detach().clone())
                optimizer.add_param_group({"params": [model.head.weight]})
            optimizer.zero_grad()
            ids = torch.randint(0, 20, (4, 6), generator=torch.Generator().manual_seed(step))
            model(ids).backward()
            optimizer.step()

    said = said_of(train)
    assert (
        "likely cause: B has head.weight as a tensor of its own, which begins as a copy of its"
        in said
    )
    assert "yet the two part at step 4, link forward" in said


@pytest.mark.parametrize("back", [1, 2])
def test_weights_that_are_put_back(back: int) -> None:
    def train(second: bool) -> None:
        model = deep()
        kept: dict[str, Tensor] = {}

        def after(step: int) -> None:
            if step == back:
                kept.update({n: t.clone() for n, t in model.state_dict().items()})
            if second and step == 3:
                model.load_state_dict(kept)

        fit(model, after=after)

    said = said_of(train)
    assert f"B's weights before step 4 are those that it had after step {back}" in said
    assert "and not what its last update left" in said


def test_a_run_that_begins_with_what_the_other_had_after_its_first_step() -> None:
    whole, model = watch(lambda: fit(deep())), deep()
    fit(model, steps=1)
    rest = watch(lambda: fit(model, steps=4, first=1))
    said = "\n".join(lines("a and b", diff(whole, rest)))
    assert "its first weights are those that A had after step 1" in said
