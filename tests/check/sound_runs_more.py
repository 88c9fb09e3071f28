"""More trainings in which nothing is wrong: what a strict reviewer and we tried against `check`."""

import copy
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.optim import SGD, Adam, AdamW, lr_scheduler
from torch.optim.swa_utils import SWALR, AveragedModel
from transformers import GPT2Config, GPT2LMHeadModel

from tests.check.sound_runs import convolutions, data, epochs, loop, mlp, sound


def masters_of(model: nn.Module) -> list[Tensor]:
    return [p.detach().float().clone().requires_grad_() for p in model.parameters()]


def by_masters(*, copied: bool) -> None:
    model = mlp().bfloat16()
    masters = masters_of(model)
    optimizer = Adam(masters, 0.01)
    for _, (x, y) in epochs(data()):
        model.zero_grad()
        F.cross_entropy(model(x.bfloat16()).float(), y).backward()
        for own, master in zip(model.parameters(), masters, strict=True):
            assert own.grad is not None
            if copied and master.grad is not None:
                master.grad.copy_(own.grad)
            else:
                master.grad = own.grad.float()
        optimizer.step()
        with torch.no_grad():
            for own, master in zip(model.parameters(), masters, strict=True):
                own.copy_(master)


@sound
def master_weights_whose_gradients_are_put_there() -> None:
    by_masters(copied=False)


@sound
def master_weights_whose_gradients_are_copied() -> None:
    by_masters(copied=True)


@sound
def gradients_kept_as_momentum() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.01)
    for _, (x, y) in epochs(data()):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        for weight in model.parameters():
            assert weight.grad is not None
            weight.grad.mul_(0.9)


@sound
def a_body_that_accumulates_while_the_head_steps() -> None:
    body, head = nn.Linear(6, 16), nn.Linear(16, 2)
    both = nn.Sequential(body, nn.Tanh(), head)
    slow, fast = SGD(body.parameters(), 0.1), SGD(head.parameters(), 0.1)
    for number, (_, (x, y)) in enumerate(epochs(data())):
        fast.zero_grad()
        (F.cross_entropy(both(x), y) / 2).backward()
        if number % 2:
            slow.step()
            slow.zero_grad()
        fast.step()


class TwoTasks(nn.Module):
    """Takes labels of both tasks, of which a batch has one."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, 2)

    def forward(self, x: Tensor, labels_a: Tensor, labels_b: Tensor) -> dict[str, Tensor]:
        hidden = torch.relu(self.body(x))
        parts = ((self.a, labels_a), (self.b, labels_b))
        losses = [F.cross_entropy(head(hidden), y) for head, y in parts if (y != -100).any()]
        return {"loss": torch.stack(losses).sum()}


@sound
def labels_of_one_task_in_each_batch() -> None:
    model = TwoTasks()
    optimizer = Adam(model.parameters(), 0.01)
    for number, (_, (x, y)) in enumerate(epochs(data())):
        none = torch.full_like(y, -100)
        model(x, *((y, none) if number % 2 else (none, y)))["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def a_last_stage_without_dropout() -> None:
    model = nn.Sequential(*convolutions(), nn.Dropout(0.2))
    optimizer = Adam(model.parameters(), 0.01)
    loader, held_out = data(), torch.randn(32, 6)
    for epoch in range(4):
        model.train(epoch < 2)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        was = model.training
        model.eval()
        with torch.no_grad():
            model(held_out)
        model.train(was)


def norm_logged_after_the_step(bound: float) -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), bound)


@sound
def the_norm_is_logged_after_the_step() -> None:
    norm_logged_after_the_step(float("inf"))


@sound
def the_norm_is_logged_by_a_bound_that_is_never_reached() -> None:
    norm_logged_after_the_step(1e9)


@sound
def a_first_epoch_of_a_warm_up_by_epochs() -> None:
    model = mlp()
    optimizer = AdamW(model.parameters(), 0.01)
    schedule = lr_scheduler.LambdaLR(optimizer, lambda epoch: min(1, epoch / 3))
    for x, y in data():
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    schedule.step()


class Annealed(nn.Module):
    """A loss module whose second term counts more and more."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = 0.0

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        self.weight += 0.1
        return F.cross_entropy(made, wanted) + self.weight * (1 + made.square().mean())


@sound
def a_term_that_is_weighted_more_and_more() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.loss = mlp(), Annealed()

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            made = self.inner(x)
            return {"loss": self.loss(made, labels), "logits": made}

    model = Model()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        model(x, y)["loss"].backward()
        optimizer.step()


def followed(follower: nn.Module, leader: nn.Module) -> None:
    with torch.no_grad():
        for mean, own in zip(follower.parameters(), leader.parameters(), strict=True):
            mean.lerp_(own, 0.01)


@sound
def byol_with_a_momentum_encoder_in_train_mode() -> None:
    # As in the papers: the momentum encoder's batch normalisation takes the batch's statistics.
    online, ahead = convolutions(), nn.Linear(2, 2)
    slow = copy.deepcopy(online).requires_grad_(False)
    both = nn.ModuleList([online, ahead])
    optimizer = SGD(both.parameters(), 0.05)
    for _, (x, _) in epochs(data()):
        with torch.no_grad():
            wanted = slow(x + 0.1 * torch.randn_like(x))
        made = ahead(online(x + 0.1 * torch.randn_like(x)))
        optimizer.zero_grad()
        (2 - 2 * F.cosine_similarity(made, wanted).mean()).backward()
        optimizer.step()
        followed(slow, online)


@sound
def mean_teacher_with_dropout_in_the_teacher() -> None:
    student = mlp(0.3)
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = SGD(student.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        with torch.no_grad():
            soft = teacher(x)
        made = student(x)
        optimizer.zero_grad()
        (F.cross_entropy(made, y) + F.mse_loss(made, soft)).backward()
        optimizer.step()
        followed(teacher, student)


@sound
def ppo_with_epochs_over_one_rollout() -> None:
    torch.manual_seed(0)
    model = mlp()
    optimizer = Adam(model.parameters(), 1e-3)
    for _ in range(4):
        x, chosen, gain = torch.randn(32, 6), torch.randint(0, 2, (32,)), torch.randn(32)
        with torch.no_grad():
            before = model(x).log_softmax(-1).gather(1, chosen[:, None])[:, 0]
        for _ in range(4):
            for at in torch.randperm(32).split(8):
                now = model(x[at]).log_softmax(-1).gather(1, chosen[at, None])[:, 0]
                ratio = (now - before[at]).exp()
                worth = torch.minimum(ratio * gain[at], ratio.clamp(0.8, 1.2) * gain[at])
                optimizer.zero_grad()
                (-worth.mean()).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()


@sound
def dqn_with_a_target_network() -> None:
    torch.manual_seed(0)
    model = mlp()
    target = copy.deepcopy(model).eval()
    optimizer = Adam(model.parameters(), 1e-3)
    for number in range(24):
        x, after, chosen, reward = (
            torch.randn(8, 6),
            torch.randn(8, 6),
            torch.randint(0, 2, (8, 1)),
            torch.randn(8),
        )
        with torch.no_grad():
            wanted = reward + 0.9 * target(after).max(1).values
        optimizer.zero_grad()
        nn.SmoothL1Loss()(model(x).gather(1, chosen)[:, 0], wanted).backward()
        optimizer.step()
        if number % 6 == 5:
            target.load_state_dict(model.state_dict())


@sound
def short_rows_first() -> None:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(config)
    optimizer = AdamW(model.parameters(), 1e-3)
    for length in range(4, 16):
        ids = torch.randint(1, 40, (4, length))
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def folds_with_a_new_model_each() -> None:
    for fold in range(3):
        model = mlp(0.2)
        loop(model, AdamW(model.parameters()), loss_of=nn.CrossEntropyLoss(), seed=fold)
        model.eval()
        with torch.no_grad():
            model(torch.randn(16, 6))


@sound
def gradients_centred_and_with_noise() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for weight in model.parameters():
            assert weight.grad is not None
            if weight.dim() > 1:
                weight.grad.sub_(weight.grad.mean(1, keepdim=True))
            weight.grad.add_(0.01 * torch.randn_like(weight.grad))
        optimizer.step()


@sound
def lookahead() -> None:
    model = mlp()
    slow = [p.detach().clone() for p in model.parameters()]
    optimizer = Adam(model.parameters(), 1e-2)
    taken = 0

    def look() -> None:
        nonlocal taken
        taken += 1
        if taken % 5 == 0:
            with torch.no_grad():
                for kept, own in zip(slow, model.parameters(), strict=True):
                    own.copy_(kept.lerp_(own, 0.5))

    loop(model, optimizer, each_step=look)


class SometimesSkipped(nn.Module):
    """Leaves its middle out at random in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 2)
        self.middle = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        for layer in self.middle:
            if not self.training or torch.rand(()) > 0.5:
                x = x + torch.tanh(layer(x))
        return self.last(x)


@sound
def stochastic_depth() -> None:
    model = SometimesSkipped()
    loop(model, AdamW(model.parameters()))


@sound
def averaged_at_a_constant_rate() -> None:
    model, number = mlp(), 0
    optimizer = SGD(model.parameters(), 0.1)
    average, schedule = AveragedModel(model), SWALR(optimizer, 0.05, anneal_epochs=1)

    def follow() -> None:
        nonlocal number
        number += 1
        if number > 1:
            average.update_parameters(model)
            schedule.step()

    loop(model, optimizer, each_epoch=follow)


@sound
def tied_weights() -> None:
    torch.manual_seed(0)
    words, out = nn.Embedding(40, 8), nn.Linear(8, 40, bias=False)
    out.weight = words.weight
    model = nn.Sequential(words, nn.Linear(8, 8), nn.Tanh(), out)
    optimizer = AdamW(model.parameters())
    for _ in range(15):
        ids = torch.randint(0, 40, (4, 10))
        optimizer.zero_grad()
        F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()


class Adapted(nn.Module):
    """A frozen body with a bottleneck beside it that begins as nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 16).requires_grad_(False)
        self.adapter = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
        self.head = nn.Linear(16, 2)
        for weight in self.adapter[2].parameters():
            nn.init.zeros_(weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.body(x))
        return self.head(hidden + self.adapter(hidden))


@sound
def adapters() -> None:
    model = Adapted()
    loop(model, AdamW([p for p in model.parameters() if p.requires_grad], 1e-2))


@sound
def pruned_between_epochs() -> None:
    model = mlp()
    prune.l1_unstructured(model[0], "weight", amount=0.3)
    optimizer = SGD(model.parameters(), 0.1)
    loop(model, optimizer, each_epoch=lambda: prune.l1_unstructured(model[0], "weight", amount=0.1))


class Rounded(nn.Module):
    """A layer whose weights are rounded on the way forward, and not on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        own = self.inner.weight
        step = own.detach().abs().max() / 127
        return F.linear(x, own + ((own / step).round() * step - own).detach(), self.inner.bias)


@sound
def trained_for_rounded_weights() -> None:
    model = Rounded()
    loop(model, SGD(model.parameters(), 0.1))


@sound
def mixed_rows_and_soft_labels() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        share, order = torch.rand(()), torch.randperm(len(x))
        one_hot = F.one_hot(y, 2).float()
        optimizer.zero_grad()
        mixed = one_hot.lerp(one_hot[order], share)
        criterion(model(x.lerp(x[order], share)), mixed).backward()
        optimizer.step()


@sound
def two_losses_of_mixed_rows() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        share, order = float(torch.rand(())), torch.randperm(len(x))
        made = model(share * x + (1 - share) * x[order])
        optimizer.zero_grad()
        (share * criterion(made, y) + (1 - share) * criterion(made, y[order])).backward()
        optimizer.step()


@sound
def spectral_and_weight_norms() -> None:
    first = parametrizations.spectral_norm(nn.Linear(6, 16))
    model = nn.Sequential(first, nn.Tanh(), parametrizations.weight_norm(nn.Linear(16, 2)))
    loop(model, Adam(model.parameters(), 1e-2))


@sound
def thawed_after_two_epochs() -> None:
    model = mlp()
    model[0].requires_grad_(False)
    optimizer = AdamW(model[3].parameters())
    for epoch, (x, y) in epochs(data()):
        if epoch == 2 and len(optimizer.param_groups) == 1:
            model[0].requires_grad_(True)
            optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 1e-4})
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def labelled_and_unlabelled_batches() -> None:
    model, criterion = mlp(0.1), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        other = torch.randn(24, 6)
        criterion(model(other + 0.1), model(other).detach().argmax(1)).backward()
        optimizer.step()


@sound
def critic_five_times_as_often() -> None:
    torch.manual_seed(0)
    maker, critic = nn.Linear(4, 6), mlp(out=1)
    makes, judges = Adam(maker.parameters(), 1e-3), Adam(critic.parameters(), 1e-3)
    for number in range(15):
        judges.zero_grad()
        real, fake = torch.randn(8, 6) + 1, maker(torch.randn(8, 4)).detach()
        between = real.lerp(fake, torch.rand(8, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        (critic(fake).mean() - critic(real).mean() + 10 * penalty).backward()
        judges.step()
        if number % 5 == 4:
            makes.zero_grad()
            (-critic(maker(torch.randn(8, 4))).mean()).backward()
            makes.step()


@sound
def a_few_steps_of_meta_learning() -> None:
    # Reptile: a copy learns, and the model goes a part of the way.
    model = mlp()
    optimizer = SGD(model.parameters(), 0.5)
    for task in range(8):
        own = copy.deepcopy(model)
        inner = SGD(own.parameters(), 0.1)
        for x, y in islice(data(seed=task), 3):
            inner.zero_grad()
            F.cross_entropy(own(x), y).backward()
            inner.step()
        optimizer.zero_grad()
        for ours, theirs in zip(model.parameters(), own.parameters(), strict=True):
            ours.grad = ours.detach() - theirs.detach()
        optimizer.step()
