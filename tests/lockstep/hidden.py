"""Small trainings with two faults, the second of which lies behind the first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

Optimizer = torch.optim.Optimizer


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """A training with a teacher, a norm and a dropout; what is given is what is wrong with it."""

    seed: int = 7
    steps: int = 5
    batch: int = 8
    dropout: float = 0.2
    train: bool = True
    momentum: float = 0.1
    smoothing: float = 0.0
    reduction: str = "mean"
    scale: float = 1.0
    parts: int = 1
    soft: float = 0.1
    noise: float = 0.0
    noise_after: float = 0.0
    noise_from: int = 0
    clip: float | None = 0.1
    clip_twice: bool = False
    rate: float = 1e-2
    end: int = 5
    decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    maker: Callable[..., Optimizer] = torch.optim.AdamW
    more: dict[str, Any] = field(default_factory=dict)  # of the optimizer
    left_out: bool = False
    frozen: bool = False
    zero: bool = True
    forgets_at: int = 0
    moves_weights_at: int = 0
    teacher_share: float = 0.1
    hook: float = 1.0
    detach: bool = False
    flips: bool = False
    draws: bool = False
    autocast: bool = False

    def __call__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        data = TensorDataset(
            torch.randn(96, 6, generator=draw), torch.randint(0, 3, (96,), generator=draw)
        )
        torch.manual_seed(self.seed)
        model, teacher = self.model(), nn.Linear(6, 3)
        optimizer = self.optimizer(model)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: 1 - s / (self.end + 1))
        loader = DataLoader(data, batch_size=self.batch, shuffle=True)
        for step, (x, y) in zip(range(1, self.steps + 1), loader, strict=False):
            model.train(self.train)
            for part in zip(x.chunk(self.parts), y.chunk(self.parts), strict=True):
                self.backward(model, teacher, *part)
            self.change(model, step, self.noise)
            for _ in range(1 + self.clip_twice):
                if self.clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            self.change(model, step, self.noise_after)
            if step == self.forgets_at:
                optimizer.state.clear()
            optimizer.step()
            schedule.step()
            if self.zero:
                optimizer.zero_grad()
            if self.draws:
                torch.rand(1)
            with torch.no_grad():
                teacher.weight.lerp_(model[0].weight[:3], self.teacher_share)
                if step == self.moves_weights_at:
                    model[0].bias.add_(0.1)

    def model(self) -> nn.Sequential:
        norm = nn.BatchNorm1d(8, momentum=self.momentum)
        model = nn.Sequential(
            nn.Linear(6, 8), norm, nn.ReLU(), nn.Dropout(self.dropout), Last(8, 3, self.detach)
        )
        model[0].weight.requires_grad_(not self.frozen)
        if self.hook != 1.0:
            model[4].weight.register_hook(lambda gradient: gradient * self.hook)
        return model

    def optimizer(self, model: nn.Module) -> Optimizer:
        parameters = [p for p in model.parameters() if p.requires_grad]
        more = {"betas": self.betas, **self.more}
        if self.maker is torch.optim.SGD:
            more = {**self.more}
        held = parameters[:-1] if self.left_out else parameters
        return self.maker(held, lr=self.rate, weight_decay=self.decay, **more)

    def backward(self, model: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            logits = model(x)
        with torch.no_grad():
            soft = teacher(x)
        loss = functional.cross_entropy(
            logits.float(),
            2 - y if self.flips else y,
            label_smoothing=self.smoothing,
            reduction=self.reduction,
        )
        if self.soft:
            loss = loss + self.soft * functional.mse_loss(logits.float(), soft)
        (loss * self.scale / self.parts).backward()

    def change(self, model: nn.Module, step: int, by: float) -> None:
        if by and step >= self.noise_from:
            model[4].bias.grad += by


class Last(nn.Linear):
    """Whose input may be cut off from what came before it."""

    def __init__(self, width: int, count: int, detached: bool) -> None:
        super().__init__(width, count)
        self._cut = (detached,)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach() if self._cut[0] else x)
