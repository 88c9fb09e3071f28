"""Ways to build a model and to call it: adapters, parametrizations, caches, checkpoints."""

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.func import functional_call
from torch.nn.functional import cross_entropy, dropout, linear
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd, state
from tests.diff.pairs.ways import Way, three_ways

FAULTY, SOUND = Way.FAULTY, Way.SOUND


class Adapted(nn.Module):
    """A frozen layer and a low-rank one beside it, by hand."""

    def __init__(self, layer: nn.Linear, scale: float) -> None:
        super().__init__()
        self.layer, self.scale = layer.requires_grad_(False), scale
        self.down = nn.Parameter(rows(2, 7, layer.in_features) / 10)
        self.up = nn.Parameter(torch.zeros(layer.out_features, 2))

    def forward(self, x: Tensor) -> Tensor:
        gives: Tensor = self.layer(x) + (x @ self.down.T @ self.up.T) * self.scale
        return gives


@three_ways("gradient", "0.scale is 2 in A and 4 in B")
def adapters_by_hand(way: Way) -> dict[str, Any]:
    model = mlp()
    model[0] = Adapted(model[0], 4.0 if way is FAULTY else 2.0)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(list(model.parameters()) if way is SOUND else trained, 0.5)
    return fit(model, optimizer)


@three_ways("update")
def adapters_merged_at_the_end(way: Way) -> dict[str, Any]:
    model = mlp()
    model[0] = Adapted(model[0], 2.0)
    fit(model, torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5))
    adapted = model[0]
    with torch.no_grad():
        by = adapted.up @ adapted.down * (1.0 if way is FAULTY else 2.0)
        if way is SOUND:
            adapted.layer.weight.copy_(adapted.layer.weight + by)
        else:
            adapted.layer.weight.add_(by)
    model[0] = adapted.layer
    return state(model)


@three_ways("weights")
def weight_norm(way: Way) -> dict[str, Any]:
    model = mlp()
    parametrizations.weight_norm(model[0])
    if way is FAULTY:
        model[0].parametrizations.weight.original0.data *= 2
    if way is SOUND:
        for p in model.parameters():
            p.data = p.data.clone()
    return fit(model)


@three_ways("weights")
def spectral_norm(way: Way) -> dict[str, Any]:
    model = mlp()
    parametrizations.spectral_norm(model[0], n_power_iterations=2 if way is FAULTY else 1)
    if way is SOUND:
        model.train()
    return fit(model)


@three_ways("forward")
def checkpointed(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        if way is SOUND:
            x = checkpoint(self.body, x, use_reentrant=False)
        else:
            x = self.body(x) * (1.1 if way is FAULTY else 1.0)
        gives: Tensor = self.head(x)
        return gives

    body = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh()))
    return fit(seeded(lambda: Named(call, body=body, head=nn.Linear(6, 3)), 2))


class Doubled(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * 2


class Wrong(Doubled):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient


@three_ways("gradient")
def a_function_with_its_own_gradient(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        if way is SOUND:
            gives: Tensor = self.layer(x) * 2
        else:
            gives = (Wrong if way is FAULTY else Doubled).apply(self.layer(x))
        return gives

    return fit(seeded(lambda: Named(call, layer=nn.Linear(4, 3))))


@three_ways("gradient")
def a_gradient_penalty(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        x = rows(seed=step).requires_grad_()
        gives = model(x)
        if way is SOUND:
            (slope,) = torch.autograd.grad([gives.sum()], [x], create_graph=True)
        else:
            (slope,) = torch.autograd.grad(gives.sum(), x, create_graph=True)
            slope = slope.detach() if way is FAULTY else slope
        (cross_entropy(gives, labels(seed=step)) + slope.pow(2).mean()).backward()
        optimizer.step()
    return state(model)


@three_ways("gradient")
def sparse_gradients(way: Way) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Linear(4, 3)))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(4):
        optimizer.zero_grad(set_to_none=way is not SOUND or step == 0)
        ids = torch.randint(0, 9, (8,), generator=torch.Generator().manual_seed(step))
        targets = labels(seed=step + (way is FAULTY))
        if way is SOUND:
            model.zero_grad(set_to_none=True)
        cross_entropy(model(ids), targets).backward()
        optimizer.step()
    return state(model)


@three_ways("forward")
def functional_calls(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        optimizer.zero_grad()
        given = dict(model.named_parameters())
        if way is FAULTY:
            given["2.bias"] = given["2.bias"] * 2 + 0.1
        x = rows(seed=step)
        gives = functional_call(model, {**given} if way is SOUND else given, (x,))
        cross_entropy(gives, labels(seed=step)).backward()
        optimizer.step()
    return state(model)


@three_ways("metrics", "weights it is made with")
def lazy_layers(way: Way) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.LazyLinear(3)))
    torch.manual_seed(4 if way is FAULTY else 3)
    with torch.no_grad():
        model(rows())
    if way is SOUND:
        model.initialize_parameters = None
    return fit(model)


@three_ways("gradient")
def a_hook_that_edits_gradients(way: Way) -> dict[str, Any]:
    model = mlp()
    factor = 3.0 if way is FAULTY else 2.0
    if way is SOUND:
        model[0].weight.register_hook(lambda g: g + g)
    else:
        model[0].weight.register_hook(lambda g: factor * g)
    return fit(model)


@three_ways("weights")
def buffers_changed_by_hand(way: Way) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))

    def before(step: int) -> None:
        if step == 3:
            if way is SOUND:
                model[1].running_mean = torch.zeros(6)
            else:
                model[1].running_mean.fill_(1.0 if way is FAULTY else 0.0)

    return fit(model, before=before)


@three_ways("update", "momentum is 0.1 in A and 0.2 in B")
def statistics_of_another_momentum(way: Way) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    model[1].momentum = 0.2 if way is FAULTY else 0.1
    if way is SOUND:
        model.train(False)
        model.train(True)
    return fit(model, steps=3)


@three_ways("forward")
def dropout_by_function(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        x = self.layer(x)
        x = self.drop(x) if way is SOUND else dropout(x, 0.4 if way is FAULTY else 0.5)
        gives: Tensor = self.head(x)
        return gives

    def make() -> nn.Module:
        return Named(call, layer=nn.Linear(4, 6), drop=nn.Dropout(0.5), head=nn.Linear(6, 3))

    return fit(seeded(make))


@three_ways("gradient")
def complex_weights(way: Way) -> dict[str, Any]:
    model = seeded(lambda: nn.Linear(4, 3, dtype=torch.cfloat))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        gives = model(rows(seed=step).to(torch.cfloat))
        if way is SOUND:
            size = gives.real.pow(2) + gives.imag.pow(2)
        else:
            size = torch.view_as_real(gives).pow(2).sum(-1) * (2 if way is FAULTY else 1)
        size.mean().backward()
        optimizer.step()
    return state(model)


@three_ways("weights")
def parameters_swapped_for_an_evaluation(way: Way) -> dict[str, Any]:
    model = mlp()
    average = [p.detach().clone() for p in model.parameters()]

    def after(step: int) -> None:
        with torch.no_grad():
            for mean, p in zip(average, model.parameters(), strict=True):
                mean.lerp_(p, 0.5)
            kept = [p.detach().clone() for p in model.parameters()]
            for mean, p in zip(average, model.parameters(), strict=True):
                p.copy_(mean)
            model(rows())
            for old, p in zip(kept, model.parameters(), strict=True):
                if way is SOUND:
                    p.data = old.clone()
                elif way is not FAULTY or step != 2:
                    p.copy_(old)

    return fit(model, after=after)


@three_ways("batch")
def kept_on_another_device(way: Way) -> dict[str, Any]:
    """Weights put away by hand between steps, and taken back."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        if way is SOUND:
            away = [p.data.clone() for p in model.parameters()]
            for p in model.parameters():
                p.data = torch.empty(0)
            for p, values in zip(model.parameters(), away, strict=True):
                p.data = values
        optimizer.zero_grad()
        seed = step + (way is FAULTY and step == 2)
        cross_entropy(model(rows(seed=seed)), labels(seed=step)).backward()
        optimizer.step()
    return state(model)


@three_ways("forward")
def a_pooled_head(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        x = self.layer(x).view(len(x), 2, 3)
        if way is SOUND:
            return x.sum(1) / 2
        return x.amax(1) if way is FAULTY else x.mean(1)

    return fit(seeded(lambda: Named(call, layer=nn.Linear(4, 6))))


@three_ways("batch")
def weights_shared_by_two_layers(way: Way) -> dict[str, Any]:
    model: Any = seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)))
    if way is SOUND:
        model[0].weight = model[2].weight = nn.Parameter(model[0].weight.detach())
    else:
        model[2].weight = model[0].weight
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        x = rows(seed=step)
        if way is FAULTY:
            hidden = model[1](model[0](x)).detach()
            gives = model[2](hidden)
        else:
            gives = model(x)
        cross_entropy(gives, labels(seed=step)).backward()
        optimizer.step()
    return state(model)


@three_ways("gradient")
def a_straight_through_estimate(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        x = self.layer(x)
        if way is FAULTY:
            return x.sign() + 0 * x
        hard = x.sign()
        return (hard - x).detach() + x if way is SOUND else x + (hard - x).detach()

    return fit(seeded(lambda: Named(call, layer=nn.Linear(4, 3))))


@three_ways("metrics")
def a_cache_of_keys(way: Way) -> dict[str, Any]:
    """An evaluation token by token, with what was read before kept beside."""

    def call(self: Any, x: Tensor, kept: Any = None) -> Any:
        read = self.layer(x)
        kept = read if kept is None else torch.cat([kept, read], 1)
        return self.head(kept.mean(1)), kept

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 4), head=nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        model(rows(8, step).view(2, 4, 4))[0].pow(2).mean().backward()
        optimizer.step()
    kept: Any = None
    text = rows(12, 3).view(2, 6, 4)
    with torch.no_grad():
        for place in range(6):
            if way is FAULTY and place == 3:
                kept = None
            given = {"kept": kept} if way is SOUND else {}
            gives, kept = model(text[:, place : place + 1], *([] if given else [kept]), **given)
    return {"gives": gives}


@three_ways("forward")
def linear_by_function(way: Way) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Tensor:
        if way is SOUND:
            return self.layer(x)  # type: ignore[no-any-return]
        bias = None if way is FAULTY else self.layer.bias
        return linear(x, self.layer.weight, bias)

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    model.layer.bias.data += 1
    return fit(model)


@three_ways("weights", uncalled=True)
def a_frozen_copy_loaded_back(way: Way) -> dict[str, Any]:
    model = mlp()
    first = copy.deepcopy(model)

    def before(step: int) -> None:
        if step == 3:
            if way is SOUND:
                for p, q in zip(model.parameters(), first.parameters(), strict=True):
                    p.data.copy_(q.data)
            elif way is Way.PLAIN:
                model.load_state_dict(first.state_dict())

    return fit(model, before=before)


@three_ways("metrics", "rows of input")
def evaluated_in_inference_mode(way: Way) -> dict[str, Any]:
    model = mlp()
    fit(model)
    context = torch.inference_mode() if way is SOUND else torch.no_grad()
    with context:
        return {"gives": model(rows(seed=8 if way is FAULTY else 7)).tolist()}


@three_ways("mode", "autocast")
def autocast_by_context(way: Way) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        with (
            warnings.catch_warnings(),
            torch.autocast(
                "cpu", torch.bfloat16, enabled=way is not FAULTY, cache_enabled=way is not SOUND
            ),
        ):
            gives = model(rows(seed=step))
        cross_entropy(gives.float(), labels(seed=step)).backward()
        optimizer.step()
    return state(model)
