"""Sound trainings of several passes a step that are no accumulated batches, or are on purpose."""

from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW
from torch.utils.checkpoint import checkpoint
from transformers import BertConfig, BertForSequenceClassification

from tests.check.sound_runs import SMALL, data, epochs, loop, mlp, sound

CRITERION = nn.CrossEntropyLoss()


@sound
def sharpness_aware_with_a_loss_module() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        CRITERION(model(x), y).backward()
        moves = [0.05 * p.grad / p.grad.norm() for p in model.parameters() if p.grad is not None]
        optimizer.zero_grad()
        for sign in (1, -1):
            with torch.no_grad():
                for weight, move in zip(model.parameters(), moves, strict=True):
                    weight.add_(move, alpha=sign)
            if sign == 1:
                CRITERION(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def gradients_here_and_a_little_further_added() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        CRITERION(model(x), y).backward()
        moves = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        for sign in (1, -1):
            with torch.no_grad():
                for weight, move in zip(model.parameters(), moves, strict=True):
                    weight.add_(move, alpha=0.05 * sign)
            if sign == 1:
                CRITERION(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


class TwoTasks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 16)
        self.heads = nn.ModuleDict({"sign": nn.Linear(16, 2), "size": nn.Linear(16, 2)})
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x: Tensor, labels: Tensor, task: str) -> dict[str, Tensor]:
        logits = self.heads[task](torch.tanh(self.body(x)))
        return {"loss": self.loss(logits, labels), "logits": logits}


@sound
def two_tasks_by_an_argument() -> None:
    model = TwoTasks()
    optimizer = AdamW(model.parameters())
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        model(x, y, "sign")["loss"].backward()
        model(x, (x[:, 0].abs() > 1).long(), "size")["loss"].backward()
        optimizer.step()


@sound
def two_tasks_with_batches_of_their_own() -> None:
    model = TwoTasks()
    optimizer = AdamW(model.parameters())
    for (_, (x, y)), (_, (u, v)) in zip(epochs(data()), epochs(data(seed=3)), strict=True):
        optimizer.zero_grad()
        model(x, y, "sign")["loss"].backward()
        model(u, v, "size")["loss"].backward()
        optimizer.step()


@sound
def several_views_of_each_row_added() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        for _ in range(3):
            CRITERION(model(x + 0.1 * torch.randn_like(x)), y).backward()
        optimizer.step()


@sound
def several_masks_of_dropout_for_one_batch() -> None:
    model = mlp(0.5)
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        for _ in range(4):
            (CRITERION(model(x), y) / 4).backward()
        optimizer.step()


@sound
def a_batch_learnt_by_heart_in_four_parts() -> None:
    model, (x, y) = mlp(), next(iter(data()))
    optimizer = Adam(model.parameters(), 1e-2)
    for _ in range(12):
        for _ in range(4):
            (CRITERION(model(x), y) / 4).backward()
        optimizer.step()
        optimizer.zero_grad()


class Checkpointed(nn.Module):
    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 2)
        self.middle = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Dropout(0.3))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return self.last(checkpoint(self.middle, self.first(x), use_reentrant=self.reentrant))


@sound
def checkpointed_activations() -> None:
    model = Checkpointed(reentrant=False)
    loop(model, AdamW(model.parameters()), loss_of=CRITERION)


@sound
def checkpointed_activations_and_accumulation() -> None:
    model = Checkpointed(reentrant=True)
    optimizer = AdamW(model.parameters())
    for number, (_, (x, y)) in enumerate(epochs(data()), 1):
        (CRITERION(model(x), y) / 2).backward()
        if number % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()


@sound
def a_checkpointed_bert() -> None:
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SMALL)).train()
    model.gradient_checkpointing_enable()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(5, 40, (4, 12))
        mask = torch.ones_like(ids)
        model(input_ids=ids, attention_mask=mask, labels=ids[:, 0] % 2).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def a_second_loss_that_counts_less() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        (0.5 * CRITERION(model(x), y)).backward()
        (0.25 * CRITERION(model(x.flip(1)), y)).backward()
        optimizer.step()


@sound
def sums_divided_by_the_rows_of_a_step() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss(reduction="sum")
    optimizer = SGD(model.parameters(), 0.1)
    for number, (_, (x, y)) in enumerate(epochs(data()), 1):
        (criterion(model(x), y) / 32).backward()
        if number % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()


@sound
def summed_at_a_rate_made_for_it() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.01)
    for number, (_, (x, y)) in enumerate(epochs(data()), 1):
        CRITERION(model(x), y).backward()
        if number % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()


@sound
def parts_of_a_sequence_one_after_another() -> None:
    torch.manual_seed(0)
    recurrent, head = nn.GRU(6, 8, batch_first=True), nn.Linear(8, 2)
    optimizer = Adam([*recurrent.parameters(), *head.parameters()])
    for _ in range(10):
        optimizer.zero_grad()
        state = torch.zeros(1, 4, 8)
        for _ in range(3):
            made, state = recurrent(torch.randn(4, 5, 6), state.detach())
            CRITERION(head(made[:, -1]), torch.randint(0, 2, (4,))).backward()
        optimizer.step()


@sound
def clipped_row_by_row_with_noise() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data(24)):
        totals = [torch.zeros_like(p) for p in model.parameters()]
        for row, label in zip(x.split(1), y.split(1), strict=True):
            model.zero_grad()
            CRITERION(model(row), label).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for total, weight in zip(totals, model.parameters(), strict=True):
                total += weight.grad
        for total, weight in zip(totals, model.parameters(), strict=True):
            weight.grad = (total + 0.1 * torch.randn_like(total)) / len(x)
        optimizer.step()


@sound
def attacked_rows_by_backward_passes() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        attacked = x.clone()
        for _ in range(3):
            attacked.requires_grad_()
            CRITERION(model(attacked), y).backward()
            attacked = (attacked + 0.01 * attacked.grad.sign()).detach()
        optimizer.zero_grad()
        CRITERION(model(attacked), y).backward()
        optimizer.step()


@sound
def gradients_measured_before_the_step() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        CRITERION(model(x), y).backward()
        optimizer.zero_grad()
        CRITERION(model(x), y).backward()
        optimizer.step()


@sound
def meta_learning_through_a_step() -> None:
    model = mlp()
    optimizer = Adam(model.parameters(), 1e-2)
    for task in range(10):
        (x, y), (u, v) = islice(data(seed=task), 2)
        own = dict(model.named_parameters())
        loss = CRITERION(torch.func.functional_call(model, own, (x,)), y)
        slopes = torch.autograd.grad(loss, list(own.values()), create_graph=True)
        moved = {n: p - 0.1 * s for (n, p), s in zip(own.items(), slopes, strict=True)}
        optimizer.zero_grad()
        CRITERION(torch.func.functional_call(model, moved, (u,)), v).backward()
        optimizer.step()


@sound
def lbfgs_on_batches() -> None:
    model = mlp()
    optimizer = LBFGS(model.parameters(), lr=0.1, max_iter=4, line_search_fn="strong_wolfe")
    for _, (x, y) in epochs(data(24)):

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)


@sound
def lbfgs_that_accumulates_in_its_closure() -> None:
    model, batches = mlp(), list(data(24))
    optimizer = LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros(())
        for x, y in batches:
            loss = CRITERION(model(x), y) / len(batches)
            loss.backward()
            total += loss.detach()
        return total

    for _ in range(6):
        optimizer.step(closure)
