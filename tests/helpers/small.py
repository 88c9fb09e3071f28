"""A small model, a plain training of it, and its ledger."""

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn
from torch.optim import SGD

from reference.diff.note_text import note_text
from reference.diff.notes import NothingEvaluated
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer

# What stands beside `identical` where the trainings evaluate nothing.
UNEVALUATED = note_text(NothingEvaluated())


def watch(train: Callable[..., Any], *given: Any, inside: Collection[int] = ()) -> Ledger:
    torch.manual_seed(0)
    memory = Memory({})
    with Observer(memory, inside=inside):
        train(*given)
    return memory.ledger


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def train(model: nn.Module, steps: int = 3) -> None:
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).pow(2).sum().backward()
        optimizer.step()
