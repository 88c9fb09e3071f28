"""State beside the parameters of the step's models: buffers, optimizers, what a loop changes."""

from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, mlp, rows, seeded, sgd, squares, state


class Codebook(nn.Module):
    """Keeps a running mean of its outputs; called as a model, or used through `loss` alone."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("codes", torch.zeros(3), persistent=persistent)

    def forward(self, x: Tensor, share: float) -> Tensor:
        outputs: Tensor = self.layer(x)
        self.codes: Tensor
        self.codes.lerp_(outputs.detach().mean(0), share)
        return outputs.pow(2).mean()

    def loss(self, x: Tensor, share: float) -> Tensor:
        return self.forward(x, share)


def coded(second: bool, *, persistent: bool, called: bool) -> dict[str, Any]:
    model = seeded(lambda: Codebook(persistent=persistent))
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        loss = model if called else model.loss
        loss(rows(seed=step), 0.2 if second else 0.1).backward()
        optimizer.step()
    return {**state(model), "codes": model.codes.clone()}


@pair("update", "first codes", uncalled=True)
def buffers_of_a_module_used_by_a_method(second: bool) -> dict[str, Any]:
    return coded(second, persistent=True, called=False)


@pair("update", "first codes", uncalled=True)
def fleeting_buffers_of_a_module_used_by_a_method(second: bool) -> dict[str, Any]:
    return coded(second, persistent=False, called=False)


@pair("update", "codes")
def buffers(second: bool) -> dict[str, Any]:
    return coded(second, persistent=True, called=True)


@pair("update", "codes")
def fleeting_buffers(second: bool) -> dict[str, Any]:
    return coded(second, persistent=False, called=True)


@pair("update", "")
def momentum_forgotten_on_the_way(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model, momentum=0.9)
    return fit(
        model, optimizer, after=lambda step: optimizer.state.clear() if second and step == 3 else 0
    )


@pair("update", "")
def the_count_of_adams_steps_set_back(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)

    def back(step: int) -> None:
        if second and step == 3:
            for kept in optimizer.state.values():
                kept["step"].fill_(1)

    return fit(model, optimizer, after=back)


@pair("optimizer", "momentum")
def momentum_added_on_the_way(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model, momentum=0.5)

    def more(step: int) -> None:
        if second and step == 3:
            optimizer.param_groups[0]["momentum"] = 0.9

    return fit(model, optimizer, after=more)


@pair("weights", "first 0.bias")
def parameters_updated_by_hand_too(second: bool) -> dict[str, Any]:
    model = mlp()

    def decay(_step: int) -> None:
        with torch.no_grad():
            model[0].bias.mul_(0.9 if second else 0.99)

    return fit(model, after=decay)


@pair("update", "1 of 4 tensors, first 0.bias")
def parameters_updated_by_hand_at_last(second: bool) -> dict[str, Any]:
    model = mlp()

    def clamp(step: int) -> None:
        if step == 5:
            with torch.no_grad():
                model[0].bias.clamp_(-0.1 if second else -1.0, 0.1 if second else 1.0)

    return fit(model, after=clamp)


@pair("batch", "")
def a_layer_frozen_and_its_input_scaled(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        model(rows(seed=step) * (1.5 if second and step == 1 else 1.0)).pow(2).mean().backward()
        optimizer.step()
    return state(model)


@pair("gradient", "")
def a_layer_frozen_on_the_way(second: bool) -> dict[str, Any]:
    model = mlp()
    return fit(
        model, before=lambda step: model[0].requires_grad_(not second) if step == 3 else None
    )


@pair("mode", "autocast: off and bfloat16")
def autocast_of_the_first_of_two_models(second: bool) -> dict[str, Any]:
    body, head = (seeded(lambda: nn.Linear(4, 4), seed) for seed in (1, 2))
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
    for step in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=second):
            hidden = body(rows(seed=step))
        head(hidden.float()).pow(2).mean().backward()
        optimizer.step()
    return {"body": state(body), "head": state(head)}


@pair("mode", "pass 2, autocast: off and bfloat16")
def autocast_of_the_second_of_two_models(second: bool) -> dict[str, Any]:
    body, head = (seeded(lambda: nn.Linear(4, 4), seed) for seed in (1, 2))
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
    for step in range(3):
        optimizer.zero_grad()
        hidden = body(rows(seed=step))
        with torch.autocast("cpu", torch.bfloat16, enabled=second):
            outputs = head(hidden)
        outputs.float().pow(2).mean().backward()
        optimizer.step()
    return {"body": state(body), "head": state(head)}


@pair("mode", "pass 2, training: True and False")
def mode_of_the_second_of_two_models(second: bool) -> dict[str, Any]:
    body = seeded(lambda: nn.Linear(4, 4))
    head = seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), 2)
    head.train(not second)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
    for step in range(3):
        optimizer.zero_grad()
        head(body(rows(seed=step))).pow(2).mean().backward()
        optimizer.step()
    return {"body": state(body), "head": state(head)}


@pair("update", "")
def state_of_an_optimizer_loaded(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    kept: dict[str, Any] = {}

    def load(step: int) -> None:
        if step == 1:
            kept.update(torch.utils._pytree.tree_map(lambda x: x, optimizer.state_dict()))
            kept["state"] = {
                key: {name: value.clone() for name, value in each.items()}
                for key, each in kept["state"].items()
            }
        if step == 3 and second:
            optimizer.load_state_dict(kept)

    return fit(model, optimizer, after=load)


@pair()
def rows_of_no_size(second: bool) -> dict[str, Any]:
    model = seeded(lambda: Named(lambda self, x, extra: self.l(x), l=nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        squares(model(rows(seed=step), torch.zeros(8, 0)), torch.zeros(0)).backward()
        optimizer.step()
    with torch.no_grad():
        model(torch.zeros(0, 4), torch.zeros(0))
    return state(model)
