"""Trainings as strangers write them, each with what is planted in the second."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

Train = Callable[[], None]


def loader(*tensors: Tensor, batch: int = 8) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*tensors), batch_size=batch, shuffle=True)


@dataclass(frozen=True)
class TokenClassification:
    """A tagger whose loss is made after the model, of labels with ignored places."""

    seed: int
    ignored: int = -100
    smoothing: float = 0.0

    def __call__(self) -> None:
        torch.manual_seed(0)
        ids = torch.randint(1, 50, (64, 10))
        tags = ids % 5
        tags[:, -2:] = self.ignored
        torch.manual_seed(self.seed)
        model = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 5))
        loss_of = nn.CrossEntropyLoss(ignore_index=self.ignored, label_smoothing=self.smoothing)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for x, y in loader(ids, tags):
            loss = loss_of(model(x).view(-1, 5), y.view(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@dataclass(frozen=True)
class CausalLM:
    """A recurrent model of the next token; `shift` may be forgotten."""

    seed: int
    shift: int = 1
    clip: float = 0.1

    def __call__(self) -> None:
        torch.manual_seed(0)
        ids = torch.randint(0, 40, (48, 12))
        torch.manual_seed(self.seed)
        model = Recurrent()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for (x,) in loader(ids, batch=6):
            logits = model(x)
            end = logits.shape[1] - self.shift
            loss = functional.cross_entropy(
                logits[:, :end].reshape(-1, 40), x[:, self.shift :].reshape(-1)
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            optimizer.step()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell = nn.Embedding(40, 16), nn.GRU(16, 16, batch_first=True)
        self.drop, self.out = nn.Dropout(0.1), nn.Linear(16, 40)

    def forward(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self.out(self.drop(self.cell(self.embed(ids))[0]))
        return hidden


@dataclass(frozen=True)
class Images:
    """A convolution with a BatchNorm, and SGD with momentum."""

    seed: int
    momentum: float = 0.9
    statistics: float = 0.1
    frozen_norm: bool = False

    def __call__(self) -> None:
        torch.manual_seed(0)
        images, labels = torch.randn(48, 3, 8, 8), torch.randint(0, 4, (48,))
        torch.manual_seed(self.seed)
        norm = nn.BatchNorm2d(6, momentum=self.statistics)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 4)
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=self.momentum)
        for x, y in loader(images, labels):
            model.train()
            if self.frozen_norm:
                norm.eval()
            loss = functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.eval()
            with torch.no_grad():
                model(images[:8])


@dataclass(frozen=True)
class Gan:
    """Two models and two optimizers, in turn."""

    seed: int
    real_label: float = 1.0
    rate: float = 1e-3

    def __call__(self) -> None:
        torch.manual_seed(0)
        data = torch.randn(48, 4)
        torch.manual_seed(self.seed)
        generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4))
        critic = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 1))
        of_critic = torch.optim.Adam(critic.parameters(), lr=self.rate, betas=(0.5, 0.999))
        of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
        loss_of = nn.BCEWithLogitsLoss()
        for (real,) in loader(data):
            count = len(real)
            fake = generator(torch.randn(count, 3))
            critic.zero_grad()
            of_real = loss_of(critic(real), torch.full((count, 1), self.real_label))
            of_real.backward()
            of_fake = loss_of(critic(fake.detach()), torch.zeros(count, 1))
            of_fake.backward()
            of_critic.step()
            generator.zero_grad()
            loss_of(critic(fake), torch.ones(count, 1)).backward()
            of_generator.step()


@dataclass(frozen=True)
class Distillation:
    """A student that learns what a frozen teacher says, with a loss of its own arithmetic."""

    seed: int
    eval_mode: bool = True
    warmth: float = 2.0

    def __call__(self) -> None:
        torch.manual_seed(0)
        x_all = torch.randn(64, 6)
        torch.manual_seed(self.seed)
        teacher = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        student = nn.Linear(6, 3)
        teacher.train(not self.eval_mode)
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for (x,) in loader(x_all):
            with torch.no_grad():
                wanted = (teacher(x) / self.warmth).softmax(-1)
            loss = -(wanted * (student(x) / self.warmth).log_softmax(-1)).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@dataclass(frozen=True)
class OwnArithmetic:
    """Rows and targets that no loader gives, and a loss that no function of torch's makes."""

    seed: int

    def __call__(self) -> None:
        torch.manual_seed(self.seed)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(4):
            draw = torch.Generator().manual_seed(self.seed + step)
            x, y = torch.randn(8, 4, generator=draw), torch.randn(8, generator=draw)
            (model(x)[:, 0] - y).pow(2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()


@dataclass(frozen=True)
class Lora:
    """A frozen layer beside a low-rank one."""

    seed: int
    scale: float = 2.0
    rate: float = 1e-2

    def __call__(self) -> None:
        torch.manual_seed(0)
        x_all, y_all = torch.randn(64, 8), torch.randn(64, 2)
        torch.manual_seed(self.seed)
        model = Adapted(self.scale)
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.rate)
        for x, y in loader(x_all, y_all):
            loss = functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()


class Adapted(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.base = nn.Linear(8, 2).requires_grad_(False)
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + self.scale * self.up(self.down(x))
        return out


@dataclass(frozen=True)
class Lbfgs:
    """An optimizer that calls the training itself, several times a step."""

    seed: int
    decay: float = 0.0

    def __call__(self) -> None:
        torch.manual_seed(0)
        x, y = torch.randn(32, 4), torch.randn(32, 1)
        torch.manual_seed(self.seed)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = functional.mse_loss(model(x), y)
            (loss + self.decay * model.weight.square().sum()).backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
