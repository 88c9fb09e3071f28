"""Second models beside the one that trains: averages, teachers, references."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import fit, mlp, rows, seeded, sgd, state


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]


@pair("update", "AveragedModel (a copy) is different at the end", uncalled=True)
def an_average_that_nobody_calls(second: bool) -> dict[str, Any]:
    model = mlp()
    average = averaged(model, 0.99 if second else 0.9)
    fit(model, after=lambda _: average.update_parameters(model))
    return {"model": state(model), "average": state(average)}


@pair("update", "(a copy) is different at the end", uncalled=True)
def a_copy_moved_by_hand(second: bool) -> dict[str, Any]:
    model = mlp()
    twin = copy.deepcopy(model).requires_grad_(False)
    share = 0.2 if second else 0.1

    def follow(_step: int) -> None:
        for ours, theirs in zip(twin.parameters(), model.parameters(), strict=True):
            ours.data.lerp_(theirs.data, share)

    fit(model, after=follow)
    return {"model": state(model), "twin": state(twin)}


@pair("update", "(a copy) is different at the end", uncalled=True)
def a_best_model_kept_beside(second: bool) -> dict[str, Any]:
    model = mlp()
    best: list[nn.Module] = []
    fit(model, after=lambda step: best.append(copy.deepcopy(model)) if step == 2 + second else None)
    return {"model": state(model), "best": state(best[0])}


@pair("update", "(a copy) is different at the end", uncalled=True)
def made_anew_and_loaded(second: bool) -> dict[str, Any]:
    model, average = mlp(), mlp()

    def follow(step: int) -> None:
        if step % (3 if second else 2) == 0:
            average.load_state_dict(model.state_dict())

    fit(model, after=follow)
    return {"model": state(model), "average": state(average)}


@pair(uncalled=True)
def a_copy_that_stays_as_it_was(second: bool) -> dict[str, Any]:
    model = mlp()
    beside = seeded(lambda: copy.deepcopy(mlp()), 3 + second)
    fit(model)
    return {"model": state(model), "rows": len(state(beside))}


@pair("", "not compared at the end: copies of Sequential, 0 and 1 of them", uncalled=True)
def a_copy_in_one_run_only(second: bool) -> dict[str, Any]:
    model = mlp()
    kept: list[nn.Module] = []
    fit(model, after=lambda _: kept.append(copy.deepcopy(model)) if second and not kept else None)
    return state(model)


@pair("metrics", "weights it is made with")
def an_average_that_is_evaluated(second: bool) -> dict[str, Any]:
    model = mlp()
    average = averaged(model, 0.99 if second else 0.9)
    fit(model, after=lambda _: average.update_parameters(model))
    with torch.no_grad():
        return {"average": state(average), "gives": average(rows())}


def taught(decay: Any) -> dict[str, Any]:
    student = mlp()
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = sgd(student)
    for step in range(5):
        optimizer.zero_grad()
        with torch.no_grad():
            wanted = teacher(rows(seed=step))
        mse_loss(student(rows(seed=step)), wanted + 1).backward()
        optimizer.step()
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.data.mul_(decay(step)).add_(theirs.data, alpha=1 - decay(step))
    return {"student": state(student), "teacher": state(teacher)}


@pair("weights", "which doesn't train: weights it is made with")
def a_teacher_that_follows_more_slowly(second: bool) -> dict[str, Any]:
    return taught(lambda step: 0.99 if second else 0.9)


@pair("update", "Sequential is different at the end")
def a_teacher_that_follows_otherwise_at_last(second: bool) -> dict[str, Any]:
    return taught(lambda step: 0.5 if second and step == 4 else 0.9)


@pair("metrics", "weights it is made with")
def statistics_of_an_average_set_anew(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    average = AveragedModel(model)  # type: ignore[no-untyped-call]

    def follow(step: int) -> None:
        if step % (2 if second else 1) == 0:
            average.update_parameters(model)

    fit(model, after=follow)
    update_bn([rows(seed=seed) for seed in range(5)], average)
    return {"average": state(average)}
