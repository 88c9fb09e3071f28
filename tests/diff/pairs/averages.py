"""Averages of the weights, kept in whatever a script keeps them in, and called or not."""

import copy
import gc
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, mlp, rows, seeded, state

Average = Callable[[nn.Module], tuple[Callable[[nn.Module, float], None], Any]]


def averaging(second: bool, make: Average, rates: tuple[float, float] = (0.1, 0.2)) -> Any:
    model = mlp()
    update, kept = make(model)
    rate = rates[second]
    fit(model, after=lambda _: update(model, rate))
    values = kept() if callable(kept) and not isinstance(kept, nn.Module) else kept
    values = list(values.state_dict().values()) if isinstance(values, nn.Module) else values
    return {"model": state(model), "average": values}


@torch.no_grad()
def blend(means: Iterable[Tensor], model: nn.Module, rate: float) -> None:
    for mean, tensor in zip(means, model.parameters(), strict=True):
        mean.lerp_(tensor, rate)


def in_a_list(model: nn.Module) -> Any:
    kept = [p.detach().clone() for p in model.parameters()]
    return lambda model, rate: blend(kept, model, rate), kept


def beside_a_count(model: nn.Module) -> Any:
    kept: dict[str, Any] = {name: p.detach().clone() for name, p in model.named_parameters()}
    kept["count"] = torch.tensor(0)
    kept["decay"] = 0.9
    means = [t for t in kept.values() if isinstance(t, Tensor) and t.dim()]
    return lambda model, rate: blend(means, model, rate), kept


def in_arrays(model: nn.Module) -> Any:
    kept = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}

    def update(model: nn.Module, rate: float) -> None:
        for name, p in model.named_parameters():
            kept[name] += np.float32(rate) * (p.detach().numpy() - kept[name])

    return update, lambda: {name: torch.from_numpy(array) for name, array in kept.items()}


def in_a_deque(model: nn.Module) -> Any:
    kept = deque(p.detach().clone() for p in model.parameters())
    return lambda model, rate: blend(kept, model, rate), lambda: list(kept)


def behind_a_freeze(model: nn.Module) -> Any:
    """`gc.freeze()`, as programs call it before they fork; what was frozen is thawed at the end."""
    kept = [p.detach().clone() for p in model.parameters()]
    gc.freeze()

    def thawed() -> Any:
        gc.unfreeze()
        return kept

    return lambda model, rate: blend(kept, model, rate), thawed


def in_a_mapping(model: nn.Module) -> Any:
    kept = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(model: nn.Module, rate: float) -> None:
        for name, p in model.named_parameters():
            kept[name] = (1 - rate) * kept[name] + rate * p.detach()

    return update, kept


def in_a_parameter_list(model: nn.Module) -> Any:
    kept = nn.ParameterList([p.detach().clone() for p in model.parameters()])
    return lambda model, rate: blend(kept, model, rate), kept


class Shadow(nn.Module):
    """Buffers under names of its own, as diffusion models have them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, p in model.named_parameters():
            self.register_buffer(name.replace(".", ""), p.detach().clone())


def in_buffers(model: nn.Module) -> Any:
    kept = Shadow(model)
    return lambda model, rate: blend(kept.buffers(), model, rate), kept


class InAnObject:
    def __init__(self, model: nn.Module) -> None:
        self.shadow = [p.detach().clone() for p in model.parameters()]


def in_an_object(model: nn.Module) -> Any:
    kept = InAnObject(model)
    return lambda model, rate: blend(kept.shadow, model, rate), kept.shadow


KINDS = {
    "a_list": in_a_list,
    "a_mapping": in_a_mapping,
    "a_mapping_beside_a_count": beside_a_count,
    "arrays": in_arrays,
    "a_deque": in_a_deque,
    "a_list_behind_a_freeze": behind_a_freeze,
    "a_parameter_list": in_a_parameter_list,
    "buffers_of_other_names": in_buffers,
    "an_object": in_an_object,
}


def _named(name: str, train: Callable[[bool], Any]) -> Callable[[bool], Any]:
    train.__name__ = name
    return train


for _kind, _make in KINDS.items():

    def _other(second: bool, make: Average = _make) -> Any:
        return averaging(second, make)

    def _same(second: bool, make: Average = _make) -> Any:
        return averaging(second, make, (0.1, 0.1))

    pair("update", "is different at the end", uncalled=True)(
        _named(f"an_average_in_{_kind}", _other)
    )
    pair(uncalled=True)(_named(f"the_same_average_in_{_kind}", _same))


@pair(uncalled=True)
def first_weights_kept_in_a_list(second: bool) -> dict[str, Any]:
    """What doesn't move is no average; one run keeps it to look at."""
    model = mlp()
    kept = [p.detach().clone() for p in model.parameters()] if second else []
    fit(model)
    assert len(kept) in (0, 4)
    return state(model)


def normalised() -> nn.Sequential:
    return seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))


def with_statistics(second: bool, *, both: bool) -> dict[str, Any]:
    model = normalised()
    average = AveragedModel(model)
    fit(model, after=lambda _: average.update_parameters(model))
    if second or both:
        update_bn([rows(seed=n) for n in range(3)], average)
    return {"model": state(model), "average": state(average)}


@pair("update", "AveragedModel", uncalled=True)
def statistics_of_an_average_forgotten(second: bool) -> dict[str, Any]:
    return with_statistics(second, both=False)


@pair(uncalled=True)
def statistics_of_an_average_set(second: bool) -> dict[str, Any]:
    return with_statistics(second, both=True)


@pair("update", "is different at the end", uncalled=True)
def statistics_of_a_copy_forgotten(second: bool) -> dict[str, Any]:
    model = normalised()
    twin = copy.deepcopy(model)

    @torch.no_grad()
    def follow(_step: int) -> None:
        blend(twin.parameters(), model, 0.1)

    fit(model, after=follow)
    if second:
        twin.train()
        with torch.no_grad():
            twin(rows(seed=3))
    return {"model": state(model), "twin": state(twin)}


@pair("", "an evaluation that the other run didn't make", uncalled=True)
def an_average_evaluated_in_one_run(second: bool) -> dict[str, Any]:
    model = normalised()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    fit(model, after=lambda _: average.update_parameters(model))
    if second:
        average.eval()
        with torch.no_grad():
            average(rows())
    return {"model": state(model), "average": state(average)}


def gone_before_the_end(second: bool, make: Average, rate: float) -> dict[str, Any]:
    """The average lives in a function that has returned when the run ends."""
    return {"list": [t.sum() for t in averaging(second, make, (0.1, rate))["average"]]}


@pair("update", "is different", uncalled=True)
def an_average_in_a_list_that_is_gone_by_the_end(second: bool) -> dict[str, Any]:
    return gone_before_the_end(second, in_a_list, 0.2)
