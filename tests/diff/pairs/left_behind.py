"""What a training leaves beside its weights: optimizers' states, and weights that it saves."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, labels, mlp, rows, seeded, sgd, state

KEPT = "what the optimizer keeps is different at the end"


def kept_by(optimizer: Optimizer) -> list[Any]:
    return [
        {name: copy.deepcopy(value) for name, value in kept.items()}
        for kept in optimizer.state.values()
    ]


def left(second: bool, change: Callable[[Optimizer], Any]) -> dict[str, Any]:
    model = mlp()
    optimizer = AdamW(model.parameters(), 0.01)
    fit(model, optimizer)
    if second:
        change(optimizer)
    return {"model": state(model), "kept": kept_by(optimizer)}


@pair("optimizer", KEPT, "exp_avg of 4 of 4 parameters, first 0.weight")
def moments_emptied_after_the_last_step(second: bool) -> dict[str, Any]:
    return left(second, lambda o: [kept["exp_avg"].zero_() for kept in o.state.values()])


@pair("optimizer", "step of 4 of 4 parameters, first 0.weight: 5.0 and 6.0")
def steps_counted_otherwise_after_the_last(second: bool) -> dict[str, Any]:
    return left(second, lambda o: [kept["step"].add_(1) for kept in o.state.values()])


@pair("optimizer", "first 0.weight: some and none")
def a_state_dropped_after_the_last_step(second: bool) -> dict[str, Any]:
    return left(second, lambda o: o.state.clear())


@pair("optimizer", "exp_avg of 4 of 4 parameters")
def an_earlier_state_loaded_after_the_last_step(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = Adam(model.parameters(), 0.01)
    states: list[Any] = []
    fit(model, optimizer, after=lambda _: states.append(copy.deepcopy(optimizer.state_dict())))
    if second:
        optimizer.load_state_dict(states[1])
    return {"model": state(model), "kept": kept_by(optimizer)}


@pair("optimizer", KEPT, "exp_avg_sq of 1 of 4 parameters")
def a_state_edited_in_a_function_that_is_over(second: bool) -> dict[str, Any]:
    """Model and optimizer are gone when the run ends."""

    def train() -> list[Any]:
        model = mlp()
        optimizer = Adam(model.parameters(), 0.01)
        fit(model, optimizer)
        if second:
            optimizer.state[model[0].weight]["exp_avg_sq"].mul_(2)
        return kept_by(optimizer)

    return {"kept": train()}


@pair("optimizer", "old_dirs of 1 of 4 parameters")
def a_history_cut(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = LBFGS(model.parameters(), 0.1, max_iter=3)
    for step in range(3):

        def closure(step: int = step) -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(model(rows(seed=step)), labels(seed=step))
            loss.backward()
            return loss

        optimizer.step(closure)
    directions = optimizer.state[model[0].weight]["old_dirs"]
    if second:
        directions.pop()
    return {"model": state(model), "directions": list(directions)}


@pair("optimizer", "keeps is different at the end: scaling")
def what_is_kept_for_no_parameter(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer: Any = sgd(model)
    optimizer.state["scaling"] = {"scale": 1.0}
    fit(model, optimizer)
    optimizer.state["scaling"]["scale"] += second
    return {"model": state(model), "scale": optimizer.state["scaling"]["scale"]}


@pair("optimizer", "ema of 4 of 4 parameters")
def an_average_in_an_optimizer(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = sgd(model)
    for p in model.parameters():
        optimizer.state[p]["ema"] = p.detach().clone()

    def follow(_step: int) -> None:
        for p in model.parameters():
            optimizer.state[p]["ema"].lerp_(p.detach(), 0.2 if second else 0.1)

    fit(model, optimizer, after=follow)
    return {"model": state(model), "kept": kept_by(optimizer)}


@pair("", "of no effect, after the last step: optimizer weight_decay is left as 0.01 and 0.7")
def a_decay_set_after_the_last_step(second: bool) -> dict[str, Any]:
    return left(second, lambda o: o.param_groups[0].update(weight_decay=0.7))


@pair("", "of no effect, after the last step: rng torch, the generator left in another state")
def a_number_drawn_after_the_last_step(second: bool) -> dict[str, Any]:
    return left(second, lambda _: torch.rand(1))


@pair("", "the gradients that are left, 4 of 4 unequal, first 0.weight, none or zeros in B")
def gradients_dropped_after_the_last_step(second: bool) -> dict[str, Any]:
    return left(second, lambda o: o.zero_grad())


@pair("", "Net is made of other modules, 1 module, first act: ReLU and GELU")
def a_part_of_another_class_that_nothing_shows(second: bool) -> dict[str, Any]:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.act = nn.GELU() if second else nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x)
            return out if self.training else self.act(out)

    return fit(seeded(Net))


@pair()
def an_optimizer_dropped_before_the_end(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer: Any = Adam(model.parameters(), 0.01)
    fit(model, optimizer)
    if second:
        optimizer = None
    return {**state(model), "is one": optimizer is None and len(model) > 3}


@pair("", "optimizer class")
def adam_without_decay(second: bool) -> dict[str, Any]:
    model = mlp()
    return fit(model, (AdamW if second else Adam)(model.parameters(), 0.01, weight_decay=0.0))


def saving(second: bool, what: Callable[[Any, bool], Any], name: str = "kept.pt") -> dict[str, Any]:
    model = mlp()
    fit(model)
    with tempfile.TemporaryDirectory() as folder:
        kept = what(model, second)
        torch.save(kept, Path(folder) / name)
    return {"model": state(model), "kept": kept}


@pair("update", "what is saved as kept.pt is different at the end: unequal in 4 of its 4 tensors")
def a_soup_of_weights_saved(second: bool) -> dict[str, Any]:
    def soup(model: nn.Module, second: bool) -> Any:
        return {name: t * (0.5 if second else 0.4) for name, t in model.state_dict().items()}

    return saving(second, soup)


@pair("update", "first model.0.weight")
def quantised_and_saved(second: bool) -> dict[str, Any]:
    def quantised(model: nn.Module, second: bool) -> Any:
        levels = 127 if second else 63
        tensors = model.state_dict().items()
        return {"model": {n: (t * levels).round().to(torch.int8) for n, t in tensors}, "bits": 8}

    return saving(second, quantised)


@pair("update", "unequal in 2 of its 2 tensors, first weight")
def a_fresh_model_of_other_shapes_saved(second: bool) -> dict[str, Any]:
    return saving(second, lambda _m, s: seeded(lambda: nn.Linear(7, 5), 3 + s).state_dict())


@pair("update", "first shadow_params.0")
def an_average_saved_as_a_list(second: bool) -> dict[str, Any]:
    def average(model: nn.Module, second: bool) -> Any:
        return {"shadow_params": [p.detach() * (0.9 - 0.1 * second) for p in model.parameters()]}

    return saving(second, average)


@pair("update", "what is saved as soup.safetensors is different at the end")
def a_soup_in_safetensors(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    soup = {n: (t * (0.5 if second else 0.4)).half() for n, t in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save_file(soup, Path(folder) / "soup.safetensors")
    return {"model": state(model), "soup": soup}


@pair()
def a_model_saved_or_its_weights(second: bool) -> dict[str, Any]:
    def of(model: nn.Module, second: bool) -> Any:
        return {"model": model.state_dict(), "epoch": 3} if second else model.state_dict()

    return {"model": saving(second, of)["model"]}


@pair()
def what_is_predicted_is_no_weights(second: bool) -> dict[str, Any]:
    given = saving(second, lambda _m, s: {"logits": rows(seed=3 + s), "labels": rows(seed=4)})
    return {"model": given["model"]}


@pair("", "2 files of weights, first 1.pt, without its like, in A")
def checkpoints_saved_more_often(second: bool) -> dict[str, Any]:
    model = mlp()
    with tempfile.TemporaryDirectory() as folder:

        def save(step: int) -> None:
            if not second or step % 2 == 0:
                torch.save(model.state_dict(), Path(folder) / f"{step}.pt")

        return fit(model, steps=4, after=save)


def by_two(second: bool, make: Callable[[Any], Optimizer], **how: Any) -> dict[str, Any]:
    """One optimizer of all parameters; or two of the halves, one after the other."""
    model = mlp()
    all_of_them = list(model.parameters())
    halves = all_of_them[:2], all_of_them[2:]
    optimizers = [make(part) for part in halves] if second else [make(all_of_them)]
    if how.get("other") and second:
        optimizers[1].param_groups[0]["lr"] *= 2
    for step in range(4):
        for optimizer in optimizers:
            optimizer.zero_grad()
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        if how.get("clipped"):
            nn.utils.clip_grad_norm_(all_of_them, 0.05)
        for optimizer in optimizers[: 1 if how.get("forgotten") else 2]:
            optimizer.step()
        if how.get("evaluated"):
            with torch.no_grad():
                model(rows(seed=90 + step + how.get("otherwise", False) * second))
    return state(model)


@pair()
def two_optimizers_of_halves(second: bool) -> dict[str, Any]:
    return by_two(second, lambda part: SGD(part, 0.1, momentum=0.9))


@pair()
def two_adams_of_halves_clipped_together(second: bool) -> dict[str, Any]:
    return by_two(second, lambda part: Adam(part, 0.01), clipped=True)


@pair()
def evaluated_after_each_step_of_two_optimizers(second: bool) -> dict[str, Any]:
    return by_two(second, lambda part: SGD(part, 0.1), evaluated=True)


@pair("optimizer", "2.weight in no group")
def a_second_optimizer_forgotten(second: bool) -> dict[str, Any]:
    return by_two(second, lambda part: SGD(part, 0.1), forgotten=True)


@pair("optimizer", "learning_rate", "for 2 of 4 parameters, first 2.weight")
def a_second_optimizer_of_another_rate(second: bool) -> dict[str, Any]:
    return by_two(second, lambda part: SGD(part, 0.1), other=True)


def goes_on(second: bool, copied: Callable[[Any], Any], make: Any = mlp) -> dict[str, Any]:
    """Half of the training with the model, half with this copy of it."""
    model = make()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    for step in range(6):
        if second and step == 3:
            model, kept = copied(model), optimizer.state_dict()
            optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
            optimizer.load_state_dict(kept)
        optimizer.zero_grad()
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        optimizer.step()
    with torch.no_grad():
        gives = model.eval()(rows(seed=70))
    return {"model": state(model), "gives": gives}


def made_anew(model: nn.Module) -> nn.Module:
    other = mlp()
    other.load_state_dict(model.state_dict())
    return other


def normalised() -> Any:
    return seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))


@pair("", "which only B has, and which takes part in no step")
def training_goes_on_with_a_copy(second: bool) -> dict[str, Any]:
    return goes_on(second, copy.deepcopy)


@pair()
def training_goes_on_with_a_copy_with_statistics(second: bool) -> dict[str, Any]:
    return goes_on(second, copy.deepcopy, normalised)


@pair()
def training_goes_on_with_one_that_is_loaded(second: bool) -> dict[str, Any]:
    kept: list[nn.Module] = []
    return goes_on(second, lambda model: kept.append(model) or made_anew(model))


@pair("update", "Sequential is different at the end")
def a_copy_that_trained_on_is_changed_at_last(second: bool) -> dict[str, Any]:
    kept: list[Any] = []

    def copied(model: Any) -> Any:
        kept.append(copy.deepcopy(model))
        return kept[0]

    given = goes_on(second, copied)
    if second:
        doubled = {name: 2 * t for name, t in kept[0].state_dict().items()}
        kept[0].load_state_dict(doubled, assign=True)
        given["model"] = state(kept[0])
    return given


@pair("incomparable")
def training_goes_on_with_a_copy_of_other_weights(second: bool) -> dict[str, Any]:
    def nudged(model: Any) -> Any:
        other = made_anew(model)
        other.get_parameter("0.weight").data[0, 0] += 1e-6
        return other

    return goes_on(second, nudged)


def drawn(second: bool, rates: tuple[float, float]) -> dict[str, Any]:
    """An image, through a model that is frozen."""
    model = mlp().requires_grad_(False)
    image = rows().requires_grad_()
    optimizer = SGD([image], rates[second])
    for _ in range(3):
        optimizer.zero_grad()
        model(image).pow(2).sum().backward()
        optimizer.step()
    return {"image": image}


@pair()
def an_image_drawn_through_a_frozen_model(second: bool) -> dict[str, Any]:
    return drawn(second, (0.1, 0.1))


@pair("optimizer", "learning_rate is 0.1 in A and 0.2 in B")
def an_image_drawn_at_another_rate(second: bool) -> dict[str, Any]:
    return drawn(second, (0.1, 0.2))


def reading(kind: torch.dtype, *, other: bool = False) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 3)))
    optimizer = sgd(model)
    for step in range(3):
        ids = torch.randint(0, 8, (8, 3), generator=torch.Generator().manual_seed(step))
        ids[0, 0] += other
        optimizer.zero_grad()
        cross_entropy(model(ids.to(kind)), labels(seed=step)).backward()
        optimizer.step()
    return state(model)


@pair("", "of no effect: batch input's type (int64 and int32), unequal in 3 steps")
def ids_of_another_type(second: bool) -> dict[str, Any]:
    return reading(torch.int32 if second else torch.int64)


@pair("batch", "int64 and (8, 3) int32")
def other_ids_of_another_type(second: bool) -> dict[str, Any]:
    return reading(torch.int32 if second else torch.int64, other=second)
