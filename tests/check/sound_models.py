"""Sound trainings with a second model, a part that stays, or an optimizer for some parameters."""

import copy
from itertools import cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from tests.check.sound_runs import convolutions, data, epochs, loop, mlp, sound
from tests.check.sound_runs_more import followed


@sound
def two_models_that_choose_rows_for_each_other() -> None:
    models = mlp(0.2), mlp(0.2)
    optimizers = [Adam(model.parameters()) for model in models]
    for _, (x, y) in epochs(data()):
        losses = [F.cross_entropy(model(x), y, reduction="none") for model in models]
        chosen = [loss.argsort()[:6] for loss in losses]
        for model, optimizer, rows in zip(models, optimizers, reversed(chosen), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


@sound
def two_models_that_learn_from_each_other() -> None:
    models = mlp(0.2), mlp(0.2)
    optimizers = [Adam(model.parameters()) for model in models]
    for _, (x, y) in epochs(data()):
        for own, other, optimizer in zip(models, reversed(models), optimizers, strict=True):
            with torch.no_grad():
                soft = other(x).softmax(1)
            made = own(x)
            near = F.kl_div(made.log_softmax(1), soft, reduction="batchmean")
            optimizer.zero_grad()
            (F.cross_entropy(made, y) + near).backward()
            optimizer.step()


def learn_from(teacher: nn.Module, times: int = 1) -> None:
    student = mlp(0.1)
    optimizer = Adam(student.parameters())
    for _, (x, _) in epochs(data()):
        with torch.no_grad():
            wanted = torch.stack([teacher(x) for _ in range(times)]).mean(0)
        optimizer.zero_grad()
        F.mse_loss(student(x), wanted).backward()
        optimizer.step()


@sound
def a_teacher_that_follows_its_batches() -> None:
    learn_from(convolutions().requires_grad_(False))


@sound
def a_random_network_to_be_learnt() -> None:
    learn_from(mlp().requires_grad_(False))


@sound
def a_teacher_asked_several_times_for_its_spread() -> None:
    learn_from(mlp(0.3).requires_grad_(False), times=3)


@sound
def random_features_below_a_head() -> None:
    features, head = nn.Sequential(nn.Linear(6, 32), nn.ReLU()), nn.Linear(32, 2)
    optimizer = Adam(head.parameters())
    for _, (x, y) in epochs(data()):
        with torch.no_grad():
            made = features(x)
        optimizer.zero_grad()
        F.cross_entropy(head(made), y).backward()
        optimizer.step()


@sound
def a_target_network_that_is_copied_now_and_then() -> None:
    torch.manual_seed(0)
    model = mlp()
    target = copy.deepcopy(model)  # in train mode, in which it answers alike
    optimizer = Adam(model.parameters(), 1e-3)
    for number in range(24):
        x, after, reward = torch.randn(8, 6), torch.randn(8, 6), torch.randn(8)
        with torch.no_grad():
            wanted = reward + 0.9 * target(after).amax(1)
        optimizer.zero_grad()
        F.smooth_l1_loss(model(x)[:, 0], wanted).backward()
        optimizer.step()
        if number == 22:
            target.load_state_dict(model.state_dict())


@sound
def twin_critics_with_slow_copies() -> None:
    torch.manual_seed(0)
    twins = nn.ModuleList([mlp(out=1), mlp(out=1)])
    slow = copy.deepcopy(twins)
    optimizer = Adam(twins.parameters(), 1e-3)
    for _ in range(12):
        x, after, reward = torch.randn(8, 6), torch.randn(8, 6), torch.randn(8, 1)
        with torch.no_grad():
            wanted = reward + 0.9 * torch.minimum(*(each(after) for each in slow))
        optimizer.zero_grad()
        sum(F.mse_loss(each(x), wanted) for each in twins).backward()
        optimizer.step()
        followed(slow, twins)


def adversarial(critic_steps: int, first: int = 0, rounds: int = 6) -> None:
    """A maker with dropout and batch normalisation for its noise, and a critic.

    Args:
        critic_steps: Of the critic for each of the maker.
        first: Of the critic, before the maker's turn comes.
        rounds: Steps of the maker.
    """
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5))
    maker.append(nn.Linear(16, 6))
    critic, criterion = mlp(0.3, out=1), nn.BCEWithLogitsLoss()
    makes, judges = (Adam(each.parameters(), 2e-4) for each in (maker, critic))
    real = cycle(data())

    def judge() -> None:
        rows = next(real)[0]
        with torch.no_grad():
            fake = maker(torch.randn(len(rows), 4))
        judges.zero_grad()
        criterion(critic(rows), torch.ones(len(rows), 1)).backward()
        criterion(critic(fake), torch.zeros(len(fake), 1)).backward()
        judges.step()

    for _ in range(first):
        judge()
    for _ in range(rounds):
        for _ in range(critic_steps):
            judge()
        makes.zero_grad()
        criterion(critic(maker(torch.randn(8, 4))), torch.ones(8, 1)).backward()
        makes.step()


@sound
def a_gan_with_dropout_in_its_maker() -> None:
    adversarial(critic_steps=1)


@sound
def a_gan_whose_critic_begins() -> None:
    adversarial(critic_steps=3, first=12, rounds=3)


@sound
def a_critic_alone_of_a_maker_with_dropout() -> None:
    torch.manual_seed(0)
    maker, critic, criterion = mlp(0.5, out=6), mlp(out=1), nn.BCEWithLogitsLoss()
    optimizer = Adam(critic.parameters())
    for rows, _ in islice(cycle(data()), 15):
        with torch.no_grad():
            fake = maker(rows)
        optimizer.zero_grad()
        made = critic(torch.cat([rows, fake]))
        criterion(made, torch.arange(2).repeat_interleave(len(rows))[:, None].float()).backward()
        optimizer.step()


@sound
def a_head_on_a_body_that_keeps_its_gradients() -> None:
    body = mlp(out=16)
    head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    head.append(nn.Linear(16, 2))
    loop(nn.Sequential(body, head), SGD(head.parameters(), 0.1), loss_of=nn.CrossEntropyLoss())


@sound
def a_first_layer_that_stays() -> None:
    layers = nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2)
    model = nn.Sequential(*layers)
    loop(model, SGD([*model[2].parameters(), *model[4].parameters()], 0.1))


class Tempered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.temperature = mlp(), nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * self.temperature


@sound
def one_parameter_moved_by_hand() -> None:
    model = Tempered()
    optimizer = SGD(model.inner.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            assert model.temperature.grad is not None
            model.temperature -= 0.01 * model.temperature.grad


class WithoutGraph(nn.Module):
    """A body that its own forward pass takes no gradients of, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 64), nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            made = torch.relu(self.body(x))
        return self.head(made)


@sound
def a_head_above_a_body_without_a_graph() -> None:
    model = WithoutGraph()
    loop(model, SGD(model.head.parameters(), 0.1))


@sound
def biases_alone() -> None:
    model = mlp()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    loop(model, AdamW([p for p in model.parameters() if p.requires_grad], 1e-2))


@sound
def an_optimizer_for_each_half_in_turn() -> None:
    model = mlp()
    halves = [SGD(part.parameters(), 0.1) for part in (model[0], model[3])]
    for number, (_, (x, y)) in enumerate(epochs(data())):
        optimizer = halves[number % 2]
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


class ByHand(torch.optim.Optimizer):
    """An optimizer of somebody's own."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.add_(weight.grad, alpha=-group["lr"])


@sound
def an_optimizer_of_ones_own() -> None:
    model = mlp()
    loop(model, ByHand(model.parameters(), 0.1))


@sound
def a_body_stepped_by_hand_beside_an_optimizer() -> None:
    body, head = mlp(out=16), nn.Linear(16, 2)
    optimizer = SGD(head.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        body.zero_grad()
        head.zero_grad()
        F.cross_entropy(head(body(x)), y).backward()
        optimizer.step()
        with torch.no_grad():
            for weight in body.parameters():
                assert weight.grad is not None
                weight -= 0.1 * weight.grad


@sound
def a_body_in_eval_mode_for_its_batch_normalisation() -> None:
    body, head = convolutions(), nn.Linear(2, 2)
    optimizer = SGD([*body.parameters(), *head.parameters()], 0.05)
    for _, (x, y) in epochs(data()):
        body.eval()
        optimizer.zero_grad()
        F.cross_entropy(head(body(x)), y).backward()
        optimizer.step()


@sound
def a_frozen_body_in_eval_mode_below_a_head() -> None:
    body, head = mlp(0.3, out=8).requires_grad_(False).eval(), nn.Linear(8, 2)
    optimizer = SGD(head.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(head(body(x)), y).backward()
        optimizer.step()


@sound
def statistics_that_follow_the_data() -> None:
    model = convolutions()
    model[1].requires_grad_(False)
    loop(model, SGD(model[3].parameters(), 0.1))
