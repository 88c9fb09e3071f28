"""For each finding a training with its fault: `FAULTS` has them by the finding's name."""

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, lr_scheduler
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    get_linear_schedule_with_warmup,
)

from tests.check.sound_runs import SMALL, convolutions, data, epochs, loop, mlp

FAULTS: dict[str, Callable[[], object]] = {}
# `test_ranks.py` and `test_findings.py` plant these themselves.
OTHERS = {"ranks-see-the-same", "ranks-part", "ranks-each-alone", "evaluation-in-train-mode"}


def fault(train: Callable[[], object]) -> Callable[[], object]:
    """One of them, by its function's name."""
    FAULTS[train.__name__.replace("_", "-")] = train
    return train


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@fault
def same_batch_always() -> None:
    model, loader = mlp(), data(shuffle=False)
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(12):
        x, y = next(iter(loader))
        step(optimizer, F.cross_entropy(model(x), y))
    with torch.no_grad():
        model(torch.randn(48, 6))


@fault
def one_batch() -> None:
    model, (x, y) = mlp(), next(iter(data()))
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(12):
        step(optimizer, F.cross_entropy(model(x), y))


@fault
def batch_again() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        for _ in range(2):
            step(optimizer, F.cross_entropy(model(x), y))


@fault
def accumulates_one_batch() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        for _ in range(3):
            (F.cross_entropy(model(x), y) / 3).backward()
        optimizer.step()
        optimizer.zero_grad()


@fault
def order_repeats() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data(shuffle=False)):
        step(optimizer, F.cross_entropy(model(x), y))


class Classifier(nn.Module):
    """Takes ids and labels by their usual names, and gives its own loss."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(40, 8), nn.Linear(8, 40)

    def forward(
        self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        logits = self.head(self.words(input_ids))
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return {"loss": loss, "logits": logits}


def classify(labels_of: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model = Classifier()
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(5):
        ids = torch.randint(1, 40, (4, 6))
        labels = labels_of(ids)
        step(optimizer, model(input_ids=ids, labels=labels)["loss"])


@fault
def all_labels_ignored() -> None:
    classify(lambda ids: torch.full_like(ids, -100))


@fault
def labels_ignored_at_times() -> None:
    torch.manual_seed(0)
    model = Classifier()
    optimizer = SGD(model.parameters(), 0.1)
    for number in range(8):
        ids = torch.randint(1, 40, (4, 6))
        labels = torch.full_like(ids, -100) if number == 3 else ids % 5
        logits = model(input_ids=ids, labels=labels)["logits"]
        step(optimizer, F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))


@fault
def labels_are_an_input() -> None:
    classify(lambda ids: ids)


@fault
def labels_are_the_ids() -> None:
    torch.manual_seed(0)
    model = BertForMaskedLM(BertConfig(**SMALL)).train()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(3):
        ids = torch.randint(5, 40, (4, 12))
        step(optimizer, model(input_ids=ids, attention_mask=ids > 0, labels=ids).loss)


@fault
def padding_without_mask() -> None:
    torch.manual_seed(0)
    model = BertForTokenClassification(BertConfig(**SMALL)).train()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(3):
        ids = torch.randint(5, 40, (4, 12))
        ids[:, 9:] = 0
        step(optimizer, model(input_ids=ids, labels=ids % 2).loss)


@fault
def generator_reset_each_step() -> None:
    model = mlp(0.5)
    optimizer = SGD(model.parameters(), 0.1)
    for x, y in [batch for _, batch in epochs(data())]:
        torch.manual_seed(7)
        step(optimizer, F.cross_entropy(model(x), y))


@fault
def generator_reset() -> None:
    model, loader = mlp(0.5), data()
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(3):
        torch.manual_seed(7)
        for x, y in loader:
            step(optimizer, F.cross_entropy(model(x), y))


@fault
def eval_mode_while_training() -> None:
    model = mlp(0.5).eval()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        step(optimizer, F.cross_entropy(model(x), y))


@fault
def eval_mode_left_on() -> None:
    model = mlp(0.5)
    optimizer = SGD(model.parameters(), 0.1)
    for number, (_, (x, y)) in enumerate(epochs(data())):
        step(optimizer, F.cross_entropy(model(x), y))
        if number == 5:
            model.eval()
            with torch.no_grad():
                model(x)


@fault
def second_model_in_train_mode() -> None:
    teacher, student = mlp(0.5), mlp()
    optimizer = SGD(student.parameters(), 0.1)
    for _, (x, _) in epochs(data()):
        with torch.no_grad():
            wanted = teacher(x)
        step(optimizer, F.mse_loss(student(x), wanted))


@fault
def moving_model_in_train_mode() -> None:
    teacher, student = convolutions(), mlp()
    optimizer = SGD(student.parameters(), 0.1)
    for _, (x, _) in epochs(data()):
        with torch.no_grad():
            wanted = teacher(x)
        step(optimizer, F.mse_loss(student(x), wanted))


@fault
def batchnorm_in_frozen_part() -> None:
    model = convolutions()
    model[1].requires_grad_(False)
    loop(model, SGD(model[3].parameters(), 0.1))


@lru_cache
def saved(steps: int = 12) -> tuple[Any, Any, Any]:
    """What a stopped run has left. To be called before the run that goes on is observed."""
    model = mlp(0.1)
    optimizer = AdamW(model.parameters(), 1e-2)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, 36)
    for _, (x, y) in list(epochs(data()))[:steps]:
        step(optimizer, F.cross_entropy(model(x), y))
        schedule.step()
    return model, optimizer, schedule


def resumed(*, optimizer: bool, schedule: bool, some: int = 4) -> None:
    model, *states = copy.deepcopy(saved())
    ours = AdamW(model.parameters(), 1e-2)
    rate = get_linear_schedule_with_warmup(ours, 0, 36)
    if optimizer:
        state = copy.deepcopy(states[0].state_dict())
        state["state"] = dict(list(state["state"].items())[:some])
        ours.load_state_dict(state)
    if schedule:
        rate.load_state_dict(states[1].state_dict())
    for _, (x, y) in epochs(data(seed=1)):
        step(ours, F.cross_entropy(model(x), y))
        rate.step()


@fault
def resumed_without_optimizer() -> None:
    resumed(optimizer=False, schedule=True)


@fault
def resumed_without_schedule() -> None:
    resumed(optimizer=True, schedule=False)


@fault
def resumed_in_part() -> None:
    resumed(optimizer=True, schedule=True, some=2)


@fault
def weights_moved_between_steps() -> None:
    model = mlp()
    first = copy.deepcopy(model.state_dict())
    loop(model, SGD(model.parameters(), 0.1), each_epoch=lambda: model.load_state_dict(first))


@fault
def loss_not_finite() -> None:
    model, criterion = nn.Linear(6, 2), nn.MSELoss()
    loop(model, SGD(model.parameters(), 1e9), loss_of=lambda made, _: criterion(made, made * 0 + 1))


@fault
def loss_grows() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    loop(model, SGD(model.parameters(), 0.5, maximize=True), loss_of=criterion)


def accumulate(factor: float) -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for number, (_, (x, y)) in enumerate(epochs(data()), 1):
        (criterion(model(x), y) * factor).backward()
        if number % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()


@fault
def loss_not_divided() -> None:
    accumulate(1.0)


@fault
def loss_divided_twice() -> None:
    accumulate(1 / 16)


@fault
def accumulates_unevenly() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for x, y in [batch for _, batch in epochs(data(160, size=10))][:20]:
        for part in (slice(9), slice(9, 10)):
            (criterion(model(x[part]), y[part]) / 2).backward()
        optimizer.step()
        optimizer.zero_grad()


@fault
def loss_summed() -> None:
    model = mlp()
    loop(model, SGD(model.parameters(), 0.01), loss_of=nn.CrossEntropyLoss(reduction="sum"))


@fault
def softmax_twice() -> None:
    model = nn.Sequential(*mlp(), nn.Softmax(1))
    loop(model, SGD(model.parameters(), 0.1), loss_of=nn.CrossEntropyLoss())


@fault
def gradient_not_finite() -> None:
    model = nn.Linear(6, 2)
    loop(model, SGD(model.parameters(), 1e9), loss_of=lambda made, _: made.square().sum())


@fault
def gradients_are_zero() -> None:
    model = mlp()
    loop(model, SGD(model.parameters(), 0.1), loss_of=lambda made, _: (made * 0).sum())


@fault
def gradients_are_zero_at_times() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for epoch, (x, y) in epochs(data()):
        step(optimizer, F.cross_entropy(model(x), y) * (epoch > 1))


@fault
def zeroed_before_step() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        F.cross_entropy(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()


@fault
def never_zeroed() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@fault
def not_always_zeroed() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for number, (_, (x, y)) in enumerate(epochs(data())):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        if number % 4:
            optimizer.zero_grad()


@fault
def dead_parameters() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(model[0].bias, -100.0)
    loop(model, SGD(model.parameters(), 0.1))


def clipped(bound: float, *, after: bool = False, parameters: Any = None) -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        if after:
            optimizer.step()
        given = list(model.parameters()) if parameters is None else parameters
        nn.utils.clip_grad_norm_(given, bound)
        if not after:
            optimizer.step()


@fault
def clip_of_nothing() -> None:
    clipped(0.01, parameters=[nn.Parameter(torch.zeros(2))])


@fault
def clip_after_step() -> None:
    clipped(0.01, after=True)


@fault
def clip_never_cuts() -> None:
    clipped(1000.0)


@fault
def clip_cuts_all() -> None:
    clipped(1e-5)


@fault
def spike_without_clip() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 1e-6)
    for number, (_, (x, y)) in enumerate(epochs(data())):
        step(optimizer, F.cross_entropy(model(x), y) * (1e4 if number == 9 else 1.0))


@fault
def optimizer_of_another_model() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    model = mlp()
    loop(model, optimizer)


@fault
def parameters_left_out() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    model[3] = nn.Linear(16, 2)
    loop(model, optimizer)


@fault
def gradients_for_nothing() -> None:
    model = nn.Sequential(*mlp(out=6), *mlp())
    loop(model, SGD(model[-1].parameters(), 0.1))


class Detached(nn.Module):
    """A large part whose outputs are detached, and a small one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(6, width), nn.Linear(width, 2)
        self.beside = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).detach()) + self.beside(x)


@fault
def model_without_gradients() -> None:
    model = Detached(64)
    loop(model, SGD(model.parameters(), 0.1))


@fault
def parameters_without_gradients() -> None:
    model = Detached(1)
    loop(model, SGD(model.parameters(), 0.1))


@fault
def nothing_moves() -> None:
    model = mlp()
    loop(model, SGD(model.parameters(), 1e-30))


@fault
def decay_groups_miss() -> None:
    model = mlp()
    named = list(model.named_parameters())
    spared = [p for n, p in named if n == "0.bias"]
    rest = [p for n, p in named if n != "0.bias"]
    loop(model, AdamW([{"params": spared, "weight_decay": 0.0}, {"params": rest}]))


@fault
def frozen_in_the_optimizer() -> None:
    model = mlp()
    model[0].requires_grad_(False)
    loop(model, Adam(model.parameters()))


def scheduled(
    each_step: bool, *, before: bool = False, steps: int = 24, by_epoch: bool = False
) -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)
    for epoch, (x, y) in epochs(data()):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        if before:
            schedule.step()
        optimizer.step()
        if each_step and not before:
            schedule.step()
        while by_epoch and schedule.last_epoch < epoch:
            schedule.step()


@fault
def schedule_never_stepped() -> None:
    scheduled(False)


@fault
def schedule_before_optimizer() -> None:
    scheduled(True, before=True)


@fault
def schedule_too_seldom() -> None:
    scheduled(False, by_epoch=True)


@fault
def schedule_longer_than_run() -> None:
    scheduled(True, steps=120)


@fault
def schedule_ends_early() -> None:
    scheduled(True, steps=12)


@fault
def rate_is_zero() -> None:
    model = mlp()
    loop(model, SGD(model.parameters(), 0.0))


@fault
def rate_is_zero_so_far() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch / 5)
    for x, y in data():
        step(optimizer, F.cross_entropy(model(x), y))
    schedule.step()


@fault
def warmup_longer_than_run() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = get_linear_schedule_with_warmup(optimizer, 240, 24)
    loop(model, optimizer, each_step=schedule.step)
