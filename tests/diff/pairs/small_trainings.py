"""What the pairs are made of: small models, rows, and a loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

Weights = dict[str, Tensor]
STEPS = 5


def seeded(make: Callable[[], nn.Module], seed: int = 1) -> Any:
    torch.manual_seed(seed)
    return make()


def mlp(outputs: int = 3) -> nn.Sequential:
    made: nn.Sequential = seeded(
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, outputs))
    )
    return made


def rows(count: int = 8, seed: int = 5, width: int = 4) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def labels(count: int = 8, seed: int = 5, classes: int = 3) -> Tensor:
    return torch.randint(0, classes, (count,), generator=torch.Generator().manual_seed(seed))


def state(model: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def sgd(model: nn.Module, rate: float = 0.1, **options: Any) -> Optimizer:
    return SGD(model.parameters(), rate, **options)


def fit(
    model: nn.Module,
    optimizer: Optimizer | None = None,
    steps: int = STEPS,
    *,
    before: Callable[[int], Any] = lambda step: None,
    after: Callable[[int], Any] = lambda step: None,
    loss: Callable[[Any, Tensor], Tensor] = cross_entropy,
    first: int = 0,
) -> Weights:
    """Trains, and gives the last weights; `before` and `after` each step, numbered from 1."""
    optimizer = optimizer or sgd(model)
    for step in range(1, steps + 1):
        before(step)
        optimizer.zero_grad()
        loss(model(rows(seed=first + step)), labels(seed=first + step)).backward()
        optimizer.step()
        after(step)
    return state(model)


def squares(outputs: Tensor, _labels: Tensor) -> Tensor:
    return outputs.pow(2).mean()


class Named(nn.Module):
    """A module of this function: `Named(lambda self, x: ..., layer=nn.Linear(4, 3))`."""

    def __init__(self, call: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.call(self, *given, **named)
