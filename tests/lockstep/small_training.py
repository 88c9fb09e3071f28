"""A small training as people write it, with what may be unlike another's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True, kw_only=True)
class Training:
    """Callable, in a fork of the tests' process."""

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
    deeper: bool = False

    def __call__(self) -> None:
        torch.manual_seed(0)
        data = TensorDataset(torch.randn(96, self.width), torch.randint(0, 3, (96,)))
        torch.manual_seed(self.seed)
        model = nn.Sequential(
            nn.Linear(self.width, 8), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(8, 3)
        )
        if self.deeper:
            model.append(nn.Linear(3, 3))
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
