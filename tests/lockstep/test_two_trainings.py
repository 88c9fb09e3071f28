"""Each planted difference is told, and nothing else; and with A's in its place B is A's run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from reference import lockstep
from reference.lockstep.result import Lockstep

SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}
Told = set[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Training:
    """A small training as people write it, with what may be unlike another's."""

    seed: int = 1
    steps: int = 6
    clip: float | None = 0.1
    clip_late: bool = False
    decay: float = 0.1
    decay_of_biases: float = 0.1
    rate: float = 1e-2
    end: int = 6
    dropout: float = 0.1
    train_mode: bool = True
    smoothing: float = 0.0
    scale: float = 1.0
    zero: bool = True
    fused: bool | None = None
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW
    frozen: bool = False
    batch: int = 8
    draw: bool = False
    width: int = 6
    autocast: bool = False
    noise: bool = False

    def __call__(self) -> None:
        torch.manual_seed(0)
        data = TensorDataset(torch.randn(96, self.width), torch.randint(0, 3, (96,)))
        torch.manual_seed(self.seed)
        model = nn.Sequential(
            nn.Linear(self.width, 8), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(8, 3)
        )
        model[0].weight.requires_grad_(not self.frozen)
        weights = [p for p in model.parameters() if p.dim() > 1]
        biases = [p for p in model.parameters() if p.dim() == 1]
        groups = [{"params": weights}, {"params": biases, "weight_decay": self.decay_of_biases}]
        more: dict[str, Any] = {} if self.fused is None else {"fused": self.fused}
        optimizer = self.optimizer(groups, lr=self.rate, weight_decay=self.decay, **more)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: 1 - s / self.end)
        model.train(self.train_mode)
        for x, y in self.batches(data):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                logits = model(x)
            loss = functional.cross_entropy(logits.float(), y, label_smoothing=self.smoothing)
            (loss * self.scale).backward()
            if self.noise:
                model[0].bias.grad += 1e-3
            if self.clip is not None and not self.clip_late:
                nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            optimizer.step()
            if self.clip is not None and self.clip_late:
                nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            schedule.step()
            if self.zero:
                optimizer.zero_grad()
            if self.draw:
                torch.rand(1)

    def batches(self, data: TensorDataset) -> Any:
        loader = DataLoader(data, batch_size=self.batch, shuffle=True)
        for _, each in zip(range(self.steps), loader, strict=False):
            yield each


A = Training()
# What B has in A's place, and what has to be told of it.
PLANTED: dict[str, tuple[dict[str, Any], Told]] = {
    "nothing": ({}, set()),
    "clip": ({"clip": None}, {("clip", "norm")}),
    "another clip": ({"clip": 0.2}, {("clip", "norm")}),
    "clip after the step": ({"clip_late": True}, {("clip", "norm")}),
    "decay": ({"decay": 0.01, "decay_of_biases": 0.01}, {("optimizer", "weight_decay")}),
    "decay of biases": ({"decay_of_biases": 0.0}, {("optimizer", "weight_decay")}),
    "rate": ({"rate": 2e-2}, {("schedule", "lr")}),
    "schedule": ({"end": 7}, {("schedule", "lr")}),
    "dropout": ({"dropout": 0.3}, {("forward", "setting p")}),
    "mode": ({"train_mode": False}, {("mode", "training")}),
    "label smoothing": ({"smoothing": 0.1}, {("forward", "loss label_smoothing")}),
    "scaled loss": ({"scale": 0.5}, {("gradient", "norm")}),
    "never zeroed": ({"zero": False}, {("zeroed", "zeroed")}),
    "optimizer": (
        {"optimizer": torch.optim.NAdam},
        {("optimizer", "class"), ("optimizer", "decoupled_weight_decay")},
    ),
    "frozen": ({"frozen": True}, {("mode", "frozen")}),
    "batch size": ({"batch": 16}, {("batch", "rows")}),
    "a draw in each step": ({"draw": True}, set()),
    "autocast": ({"autocast": True}, {("forward", "autocast")}),
    "changed gradients": ({"noise": True}, {("gradient", "changed")}),
}


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """What a first step imports is imported once, before the forks."""
    replace(A, steps=1)()


def told(result: Lockstep) -> Told:
    return {(each.link, each.field) for each in result.differences}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_told_beside_another_seed(name: str) -> None:
    changed, expected = PLANTED[name]
    result = lockstep(A, replace(A, seed=7, **changed))
    assert told(result) == SEED | expected, str(result)
    assert result.is_proven, str(result)
    assert result.exit_code == 1


def test_a_training_beside_itself_has_none() -> None:
    result = lockstep(A, A)
    assert told(result) == set(), str(result)
    assert result.exit_code == 0
    assert "no difference; B is A's run: 6 steps, every link, bit for bit" in str(result)
