"""Small trainings in pairs: A as it should be, and B with one fault."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

Run = Callable[[], None]


class Net(nn.Module):
    """A small classifier, whose `flag` does nothing."""

    def __init__(self, dropout: float = 0.0, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.drop = nn.Linear(4, 8), nn.Dropout(dropout)
        self.norm = nn.Identity() if norm is None else norm
        self.last = nn.Linear(8, 2)

    def forward(self, x: Tensor, flag: int = 0) -> Any:
        return self.last(self.drop(torch.relu(self.norm(self.first(x)))))


def rows(count: int = 16) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(count, 4, generator=draw)
    return x, torch.randint(0, 2, (count,), generator=draw)


class Plain:
    """A training of full batches; each hook is a method that a fault changes.

    Args:
        is_b: Whether it is the faulty one.
    """

    steps = 3

    def __init__(self, is_b: bool) -> None:
        self.is_b = is_b

    def model(self) -> nn.Module:
        return Net()

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        return functional.cross_entropy(model(x), y)

    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        self.loss(model, x, y, step).backward()

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        """The optimizer has stepped."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.1)

    def __call__(self) -> None:
        random.seed(0)
        torch.manual_seed(0)
        model, (x, y) = self.model(), rows()
        optimizer = self.optimizer(model)
        for step in range(self.steps):
            self.backward(model, x, y, step)
            optimizer.step()
            optimizer.zero_grad()
            self.after(model, x, step)


def evaluate(model: nn.Module, x: Tensor) -> None:
    was = model.training
    model.eval()
    with torch.no_grad():
        model(x[:4])
    model.train(was)


class EvaluatedInAAlone(Plain):
    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        if not self.is_b:
            evaluate(model, x)


class EvaluatedInBAlone(Plain):
    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        if self.is_b:
            evaluate(model, x)


class EvaluatedWithOtherWeights(Plain):
    """B scores a shadow copy that is swapped in, and puts its own back."""

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        kept = [p.detach().clone() for p in model.parameters()]
        with torch.no_grad():
            for each in model.parameters():
                each.mul_(0.1 if self.is_b else 1.0)
        evaluate(model, x)
        with torch.no_grad():
            for each, value in zip(model.parameters(), kept, strict=True):
                each.copy_(value)


class TrainModeInBAlone(Plain):
    def model(self) -> nn.Module:
        return Net(dropout=0.5).train(self.is_b)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Any:
        return self.inner(x) * (2 if self.training else 1)


class ModeOfOwnCode(Plain):
    def model(self) -> nn.Module:
        return Branches().train(self.is_b)


class ModeWithoutEffect(Plain):
    def model(self) -> nn.Module:
        return Net().train(self.is_b)


class Loaded(Plain):
    """Its batches come from a shuffled loader, and B has another seed."""

    def make(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, y

    def __call__(self) -> None:
        seed = int(self.is_b)
        random.seed(seed)
        torch.manual_seed(seed)
        model = self.model()
        optimizer = self.optimizer(model)
        loader = DataLoader(TensorDataset(*rows(24)), batch_size=8, shuffle=True)
        for step, batch in enumerate(loader):
            x, y = self.make(*batch)
            self.backward(model, x, y, step)
            optimizer.step()
            optimizer.zero_grad()
            self.after(model, x, step)


class LabelsFlipped(Loaded):
    def make(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, 1 - y if self.is_b else y


class InputsScaled(Loaded):
    def make(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x * (100 if self.is_b else 1), y


class InputsWithNoise(Loaded):
    """Noise is what another seed makes of them."""

    def make(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x + torch.randn_like(x), y


class LabelsFlippedWithoutALoader(Plain):
    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        return functional.cross_entropy(model(x), 1 - y if self.is_b else y)


class TeacherOfOtherInputs(Plain):
    def model(self) -> nn.Module:
        self.teacher = Net()
        return Net()

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            soft = self.teacher(x * 0 if self.is_b else x)
        return functional.mse_loss(model(x), soft)


class EvaluatedBeforeItsFirstStep(Plain):
    """Its later evaluations are its own: B scores other rows."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        if step == 0:
            evaluate(model, x)
        return super().loss(model, x, y, step)

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        evaluate(model, x * 3 if self.is_b else x)


class TeacherThatMovesOtherwise(Plain):
    """A mean teacher with another decay."""

    def model(self) -> nn.Module:
        self.teacher = Net()
        return Net()

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            soft = self.teacher(x)
        return functional.mse_loss(model(x), soft)

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        share = 0.5 if self.is_b else 0.1
        with torch.no_grad():
            for slow, fast in zip(self.teacher.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, share)


class SecondBackward(Plain):
    """A penalty of B's own, in one step alone."""

    steps = 1

    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        super().backward(model, x, y, step)
        if self.is_b:
            sum(p.square().sum() for p in model.parameters()).backward()


class SumAndMean(Plain):
    """A goes back once from a mean of two losses, B from each of both."""

    steps = 1

    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        if self.is_b:
            self.loss(model, x[:8], y[:8], step).backward()
            self.loss(model, x[8:], y[8:], step).backward()
        else:
            first = self.loss(model, x[:8], y[:8], step)
            ((first + self.loss(model, x[8:], y[8:], step)) / 2).backward()


class Accumulated(Plain):
    """B takes half of the rows twice, the second too large, and doesn't clip."""

    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        if self.is_b:
            self.loss(model, x[:8], y[:8], step).backward()
            (7 * self.loss(model, x[8:], y[8:], step)).backward()
        else:
            super().backward(model, x, y, step)
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)


class Gelu(Net):
    """Its activation isn't told by an attribute."""

    def __init__(self, approximate: str) -> None:
        super().__init__()
        self._kind = approximate

    def forward(self, x: Tensor, flag: int = 0) -> Any:
        return self.last(functional.gelu(self.first(x), approximate=self._kind))


class AnotherGelu(Plain):
    def model(self) -> nn.Module:
        return Gelu("tanh" if self.is_b else "none")


class AnotherGeluAndLoss(AnotherGelu):
    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        return super().loss(model, x, y, step) * (3 if self.is_b else 1)


class OnceDoubled(Plain):
    """A flag that does nothing, and in the last step alone something else that does."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        handles = []
        if self.is_b and step == 2:
            doubled = model.last.register_forward_hook(lambda _module, _args, out: out * 2)
            handles.append(doubled)
        loss = functional.cross_entropy(model(x, flag=int(self.is_b)), y)
        for each in handles:
            each.remove()
        return loss


class Momentum(Plain):
    def model(self) -> nn.Module:
        return Net(norm=nn.BatchNorm1d(8, momentum=0.5 if self.is_b else 0.1))


class BufferOverwrittenAtTheEnd(Plain):
    def model(self) -> nn.Module:
        return Net(norm=nn.BatchNorm1d(8))

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        if self.is_b and step == 2:
            model.norm.running_mean.fill_(9.0)


class SparseGradients(Plain):
    def model(self) -> nn.Module:
        return nn.Embedding(20, 4, sparse=True)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam(model.parameters(), lr=0.1)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        ids = torch.tensor([1, 2, 3, 3])
        return model(ids).square().sum() * (2 if self.is_b and step else 1)


class Graph(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 2)

    def forward(self, x: Tensor, adjacent: Tensor) -> Any:
        return torch.sparse.mm(adjacent, self.inner(x))


class SparseInput(Plain):
    factor = 1.0

    def model(self) -> nn.Module:
        return Graph()

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        adjacent = torch.eye(16) * (self.factor if self.is_b else 1.0)
        return functional.cross_entropy(model(x, adjacent.to_sparse()), y)


class AnotherSparseInput(SparseInput):
    factor = 2.0


class Unzeroed(Plain):
    """B never zeroes its gradients; in steps of their own."""

    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        if self.is_b:
            for each in model.parameters():
                each.grad = self.kept.get(each)
        super().backward(model, x, y, step)
        self.kept = {each: each.grad.clone() for each in model.parameters()}

    def model(self) -> nn.Module:
        self.kept: dict[Tensor, Tensor] = {}
        return Net()


class MoreRows(Plain):
    def backward(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> None:
        count = 16 if self.is_b else 8
        self.loss(model, x[:count], y[:count], step).backward()


class LabelsFlippedAfterAnEvaluation(LabelsFlipped):
    """The loader of the evaluation before training gives what looks like a batch, too."""

    def model(self) -> nn.Module:
        model = Net()
        for x, _ in DataLoader(TensorDataset(*rows(8)), batch_size=8):
            evaluate(model, x)
        return model


class ShadowThatMovesOtherwise(TeacherThatMovesOtherwise):
    """A moving average that is only evaluated."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        return functional.cross_entropy(model(x), y)

    def after(self, model: nn.Module, x: Tensor, step: int) -> None:
        super().after(model, x, step)
        evaluate(self.teacher, x)


class SumInPlaceOfMean(Plain):
    def loss(self, model: nn.Module, x: Tensor, y: Tensor, step: int) -> Tensor:
        return super().loss(model, x, y, step) * (4 if self.is_b else 1)


class AnotherRate(Plain):
    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.2 if self.is_b else 0.1)


class AnotherDropout(Plain):
    def model(self) -> nn.Module:
        return Net(dropout=0.5 if self.is_b else 0.25)
