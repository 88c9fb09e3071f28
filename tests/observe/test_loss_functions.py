"""Losses that are functions of torch's are seen while an observer runs, and left as they were."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from torch.utils.data import DataLoader

from reference.ledger.reader import Memory
from reference.observe.hooks.loss_functions import IN_NN, IN_TORCH
from reference.observe.observer import Observer
from reference.observe.torch_internals import owners_of_losses
from tests.diff.pairs.small_trainings import fit, mlp, rows


def losses() -> list[Any]:
    pairs = zip(owners_of_losses(), (IN_NN, IN_TORCH), strict=True)
    return [getattr(owner, name) for owner, names in pairs for name in names]


def together(x: Tensor, y: Tensor) -> Tensor:
    return mse_loss(x, y) + binary_cross_entropy_with_logits(x, y)


def test_they_are_given_back() -> None:
    before, begin = losses(), DataLoader.__iter__
    with Observer(Memory({})):
        assert all(x is not y for x, y in zip(losses(), before, strict=True))
        assert DataLoader.__iter__ is not begin
    assert all(x is y for x, y in zip(losses(), before, strict=True))
    assert DataLoader.__iter__ is begin


def test_torchscript_knows_no_replacement_afterwards() -> None:
    """It knows functions by their ids: another function may get the id of one that is gone."""
    table = torch.jit._builtins._get_builtin_table()
    known = set(table)
    for _ in range(2):
        with Observer(Memory({})):
            assert len(set(table) - known) == len(IN_NN) + len(IN_TORCH)
        assert set(table) == known


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize(
    "compiled",
    [
        torch.jit.script,
        lambda loss: torch.compile(loss, backend="eager", fullgraph=True),
        torch.func.grad,
        torch.vmap,
    ],
    ids=["script", "compile", "grad", "vmap"],
)
def test_what_compiles_and_transforms_them_gives_the_same(compiled: Callable[..., Any]) -> None:
    x = torch.rand(4, 3)
    expected = compiled(together)(x, x)
    memory = Memory({})
    with Observer(memory) as observer:
        model = mlp()
        fit(model)
        with torch.no_grad():
            model(rows())
        assert torch.equal(compiled(together)(x, x), expected)
        assert observer.lost == ""


def test_a_loss_that_fails_fails_as_before() -> None:
    with Observer(Memory({})) as observer, torch.no_grad():
        model = mlp()
        outputs = model(rows())
        with pytest.raises(IndexError):
            cross_entropy(outputs, torch.full((8,), 7))
        assert observer.lost == ""
