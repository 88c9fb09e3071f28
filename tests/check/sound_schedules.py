"""Sound trainings with odd schedules, rates and groups of decay, which are meant so."""

import copy
from collections.abc import Callable
from itertools import cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler
from transformers import get_linear_schedule_with_warmup

from tests.check.sound_runs import convolutions, data, epochs, loop, mlp, sound


def by_steps(schedule_of: Callable[[Optimizer], lr_scheduler.LRScheduler], rate: float) -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), rate, momentum=0.9)
    loop(model, optimizer, each_step=schedule_of(optimizer).step, loss_of=nn.CrossEntropyLoss())


@sound
def one_cycle_of_which_a_quarter_is_tried() -> None:
    by_steps(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100), 0.1)


@sound
def cosine_restarts_to_zero() -> None:
    by_steps(lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5), 0.1)


@sound
def rates_that_go_up_and_down() -> None:
    by_steps(lambda o: lr_scheduler.LambdaLR(o, lambda n: abs(n % 12 - 6) / 6), 0.1)


@sound
def a_search_for_a_rate() -> None:
    by_steps(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 1.6), 1e-6)


@sound
def a_search_for_a_rate_by_hand_and_a_training() -> None:
    model = mlp()
    first = copy.deepcopy(model.state_dict())
    optimizer = SGD(model.parameters(), 1e-6)

    def rise() -> None:
        for group in optimizer.param_groups:
            group["lr"] *= 1.7

    loop(model, optimizer, each_step=rise)
    model.load_state_dict(first)
    loop(model, SGD(model.parameters(), 0.1))


@sound
def a_first_try_within_the_warm_up() -> None:
    by_steps(lambda optimizer: get_linear_schedule_with_warmup(optimizer, 100, 1000), 0.01)


@sound
def a_first_try_of_a_rate_by_the_inverse_root() -> None:
    by_steps(
        lambda optimizer: lr_scheduler.LambdaLR(
            optimizer, lambda n: min((n + 1) ** -0.5, (n + 1) * 4000**-1.5)
        ),
        0.1,
    )


@sound
def stopped_early() -> None:
    by_steps(lambda optimizer: get_linear_schedule_with_warmup(optimizer, 2, 600), 0.01)


@sound
def cosine_by_epochs_in_a_short_try() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, 30)
    loader = data(80)
    for _ in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        schedule.step()


@sound
def steps_by_epochs_in_a_single_one() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.StepLR(optimizer, 30)
    for x, y in islice(data(120), 12):  # its end, and the schedule's turn, never come
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert schedule.last_epoch == 0


@sound
def steps_that_are_far_ahead() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    loop(model, optimizer, each_epoch=lr_scheduler.MultiStepLR(optimizer, [30, 60]).step)


@sound
def no_rate_at_the_end_for_running_statistics() -> None:
    model = convolutions()
    optimizer = SGD(model.parameters(), 0.1)
    for epoch, (x, y) in epochs(data()):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (epoch < 3)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def no_rate_at_all_for_running_statistics() -> None:
    model = convolutions()
    loop(model, SGD(model.parameters(), 0.0))


@sound
def a_part_at_no_rate() -> None:
    model = mlp()
    groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[3].parameters()}]
    loop(model, SGD(groups, 0.1))


@sound
def two_optimizers_and_one_schedule() -> None:
    model = mlp()
    first, second = (SGD(part.parameters(), 0.1) for part in (model[0], model[3]))
    schedule = lr_scheduler.CosineAnnealingLR(first, 24)
    for _, (x, y) in epochs(data()):
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        first.step()
        second.step()
        schedule.step()


@sound
def a_maker_that_waits_while_its_schedule_goes_on() -> None:
    torch.manual_seed(0)
    maker, critic, criterion = nn.Linear(4, 6), mlp(out=1), nn.BCEWithLogitsLoss()
    makes, judges = Adam(maker.parameters()), Adam(critic.parameters())
    schedules = [lr_scheduler.LinearLR(each, 1.0, 0.5, 20) for each in (makes, judges)]
    for number, (rows, _) in enumerate(islice(cycle(data()), 20)):
        judges.zero_grad()
        fake = maker(torch.randn(8, 4))
        made = critic(torch.cat([rows, fake.detach()]))
        criterion(made, torch.arange(2).repeat_interleave(8)[:, None].float()).backward()
        judges.step()
        if number % 5 == 4:
            makes.zero_grad()
            criterion(critic(fake), torch.zeros(8, 1)).backward()
            makes.step()
        for schedule in schedules:
            schedule.step()


@sound
def a_new_cycle_with_what_the_optimizer_keeps() -> None:
    model = mlp()
    before = AdamW(model.parameters(), 1e-2)
    for weight in model.parameters():
        before.state[weight] = {"step": torch.tensor(200.0)}
        before.state[weight] |= {n: torch.zeros_like(weight) for n in ("exp_avg", "exp_avg_sq")}
    loop(model, before, each_step=get_linear_schedule_with_warmup(before, 2, 24).step)


def three() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Linear(16, 2))


def spare(model: nn.Module, spares: Callable[[str, Tensor], bool], **more: float) -> None:
    """Train with a decay for those that aren't spared, by their names and shapes."""
    named = list(model.named_parameters())
    spared = [p for n, p in named if spares(n, p)]
    rest = [p for n, p in named if not spares(n, p)]
    groups = [{"params": spared, "weight_decay": 0.0, **more}, {"params": rest}]
    loop(model, AdamW(groups, 1e-2, weight_decay=0.1))


@sound
def all_of_a_plain_network_decayed() -> None:
    model = convolutions()
    loop(model, SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4))


@sound
def norms_spared_and_other_biases_not() -> None:
    spare(three(), lambda name, _: name.startswith("1."))


@sound
def whatever_has_one_dimension_spared() -> None:
    spare(three(), lambda _, parameter: parameter.dim() < 2)


@sound
def a_new_head_decayed_and_the_rest_spared() -> None:
    spare(three(), lambda name, _: not name.startswith("2."), lr=1e-4)


@sound
def a_body_decayed_and_its_head_spared() -> None:
    spare(three(), lambda name, _: name.startswith("2."))
