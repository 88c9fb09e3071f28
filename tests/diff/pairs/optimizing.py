"""Ways to optimize: groups, schedules, scales, clips, masters, and what is loaded on the way."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from tests.diff.pairs.small_trainings import fit, labels, mlp, rows, sgd, state
from tests.diff.pairs.ways import Way, three_ways

FAULTY, SOUND = Way.FAULTY, Way.SOUND


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    return cross_entropy(model(rows(seed=step)), labels(seed=step))


@three_ways("gradient")
def accumulated_with_a_scale(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        for part in (0, 1):
            loss = loss_of(model, 2 * step + part)
            if way is SOUND:
                (loss * 0.5).backward()
            else:
                (loss / (1 if way is FAULTY and part else 2)).backward()
        optimizer.step()
    return state(model)


@three_ways("clip", "norm")
def clipped_by_norm(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        parameters = list(model.parameters())
        if way is SOUND:
            total = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            nn.utils.clip_grads_with_norm_(parameters, 0.1, total)
        else:
            nn.utils.clip_grad_norm_(parameters, 0.2 if way is FAULTY else 0.1)
        optimizer.step()
    return state(model)


@three_ways("clip")
def clipped_by_value(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        bound = 0.03 if way is FAULTY else 0.02
        for p in model.parameters():
            assert p.grad is not None
            if way is SOUND:
                p.grad = p.grad.clamp(-bound, bound)
            else:
                nn.utils.clip_grad_value_([p], bound)
        optimizer.step()
    return state(model)


@three_ways("optimizer", "weight_decay")
def decay_by_groups(way: Way) -> dict[str, Any]:
    model = mlp()
    named = list(model.named_parameters())
    biases = [p for n, p in named if n.endswith("bias")]
    others = [p for n, p in named if not n.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": others, "weight_decay": 0.1},
        {"params": biases, "weight_decay": 0.1 if way is FAULTY else 0.0},
    ]
    if way is SOUND:
        groups = [{**g, "params": [p]} for g in reversed(groups) for p in g["params"]]
    return fit(model, AdamW(groups, 0.01))


@three_ways("schedule")
def warmed_up(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    if way is SOUND:
        rates = LambdaLR(optimizer, lambda step: (1 + step) / 4 if step < 3 else 1.0)
        return fit(model, optimizer, after=lambda _: rates.step())
    first = LinearLR(optimizer, 0.25, 1.0, 3)
    schedule = first if way is not FAULTY else LinearLR(optimizer, 0.25, 1.0, 2)
    return fit(model, optimizer, after=lambda _: schedule.step())


@three_ways("schedule")
def two_schedules(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    if way is SOUND:
        first, second = StepLR(optimizer, 2, 0.5), StepLR(optimizer, 3, 0.5)
        return fit(model, optimizer, after=lambda _: (second.step(), first.step()))
    first, second = StepLR(optimizer, 2, 0.5), StepLR(optimizer, 3, 0.5)

    def move(step: int) -> None:
        first.step()
        if way is not FAULTY or step > 2:
            second.step()

    return fit(model, optimizer, after=move)


@three_ways("schedule")
def schedules_one_after_another(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    at = 3 if way is FAULTY else 2
    parts = [LambdaLR(optimizer, lambda _: 0.5), LambdaLR(optimizer, lambda _: 0.25)]
    if way is SOUND:
        schedule: Any = LambdaLR(optimizer, lambda step: 0.5 if step < at else 0.25)
    else:
        schedule = SequentialLR(optimizer, parts, [at])
    return fit(model, optimizer, after=lambda _: schedule.step())


@three_ways("optimizer")
def one_cycle(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model, momentum=0.9)
    schedule = OneCycleLR(optimizer, 0.1, 10, cycle_momentum=way is not FAULTY)

    def move(_step: int) -> None:
        schedule.step()
        if way is SOUND:
            optimizer.param_groups[0]["lr"] = schedule.get_last_lr()[0]

    return fit(model, optimizer, after=move)


@three_ways("schedule")
def a_plateau(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    schedule = ReduceLROnPlateau(optimizer, patience=1 if way is FAULTY else 0)

    def move(step: int) -> None:
        value = 1.0 + step if way is SOUND else 2.0 * step
        schedule.step(value)

    return fit(model, optimizer, after=move)


@three_ways("schedule")
def cosine(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    schedule = CosineAnnealingLR(optimizer, 6 if way is FAULTY else 5)

    def move(_step: int) -> None:
        if way is SOUND:
            schedule.load_state_dict(copy.deepcopy(schedule.state_dict()))
        schedule.step()

    return fit(model, optimizer, after=move)


@three_ways("optimizer")
def an_optimizer_loaded_on_the_way(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer: list[Optimizer] = [Adam(model.parameters(), 0.01)]

    def before(step: int) -> None:
        if step == 3 and way is not Way.PLAIN:
            kept = copy.deepcopy(optimizer[0].state_dict())
            optimizer[0] = Adam(model.parameters(), 0.01)
            if way is SOUND:
                optimizer[0].load_state_dict(kept)

    for step in range(1, 6):
        before(step)
        optimizer[0].zero_grad()
        loss_of(model, step).backward()
        optimizer[0].step()
    return state(model)


@three_ways("update")
def moments_taken_over(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = Adam(model.parameters(), 0.01)

    def before(step: int) -> None:
        if step == 3 and way is not Way.PLAIN:
            for p, each in optimizer.state.items():
                optimizer.state[p] = copy.deepcopy(each)
                if way is FAULTY:
                    optimizer.state[p]["exp_avg"].zero_()

    return fit(model, optimizer, before=before)


@three_ways("gradient")
def gradients_scaled_by_hand(way: Way) -> dict[str, Any]:
    """A loss scale, taken off again before the step."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        (loss_of(model, step) * (512 if way is FAULTY else 1024)).backward()
        with torch.no_grad():
            for p in model.parameters():
                assert p.grad is not None
                if way is SOUND:
                    p.grad = p.grad * 2.0**-10
                else:
                    p.grad.div_(1024)
        optimizer.step()
    return state(model)


@three_ways("clip")
def noise_on_gradients(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    generator = torch.Generator().manual_seed(7 + (way is FAULTY))
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        for p in model.parameters():
            assert p.grad is not None
            noise = torch.randn(p.shape, generator=generator)
            if way is SOUND:
                p.grad = p.grad + noise
            else:
                p.grad += noise
        optimizer.step()
    return state(model)


@three_ways("gradient")
def losses_on_one_graph(way: Way) -> dict[str, Any]:
    """Two losses, one after another with the graph kept."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        gives = model(rows(seed=step))
        first, second = cross_entropy(gives, labels(seed=step)), gives.pow(2).mean()
        first.backward(retain_graph=True)
        if way is SOUND:
            torch.autograd.backward([second])
        else:
            (second * (2 if way is FAULTY else 1)).backward()
        optimizer.step()
    return state(model)


@three_ways("weights")
def weights_tied_again_each_step(way: Way) -> dict[str, Any]:
    model = mlp()
    mask = (torch.arange(24).view(6, 4) % 3 > 0).float()

    def after(step: int) -> None:
        with torch.no_grad():
            if way is SOUND:
                model[0].weight.copy_(model[0].weight * mask)
            elif way is Way.PLAIN or step != 2:
                model[0].weight.mul_(mask)

    return fit(model, after=after)


@three_ways("forward")
def sharpness_aware(way: Way) -> dict[str, Any]:
    """Two passes a step: at the weights, and at those nearby where the loss is higher."""
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    reach = 0.1 if way is FAULTY else 0.05
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        moved = []
        with torch.no_grad():
            for p in model.parameters():
                assert p.grad is not None
                moved.append(p.grad * reach)
                if way is SOUND:
                    p.copy_(p + moved[-1])
                else:
                    p.add_(moved[-1])
        model.zero_grad()
        loss_of(model, step).backward()
        with torch.no_grad():
            for p, by in zip(model.parameters(), moved, strict=True):
                p.sub_(by)
        optimizer.step()
    return state(model)
