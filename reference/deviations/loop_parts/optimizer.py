"""Parameters of some modules; the schedule begun anew, or computed in another order."""

from collections.abc import Sequence
from typing import Any

import torch


def in_modules(names: Sequence[str], parameter: str) -> bool:
    """Whether a parameter is one of these, or in one of these modules."""
    return any(parameter == name or parameter.startswith(f"{name}.") for name in names)


def restart_schedule(lr_scheduler: Any) -> None:
    """Put the schedule back to its beginning, as a new one has it."""
    lr_scheduler.last_epoch = 0
    for group, rate in zip(lr_scheduler.optimizer.param_groups, lr_scheduler.base_lrs, strict=True):
        group["lr"] = rate * lr_scheduler.lr_lambdas[0](0)


def linear_as(lr_scheduler: Any, how: str) -> Any:
    """The same straight line as transformers' linear schedule, computed in another order.

    That is `lr * (float(total - step) / float(total - warmup))`. The other ways of writing it are
    equal in real numbers, and differ in a rate's last bit at some of the steps.
    """
    factor = lr_scheduler.lr_lambdas[0]
    warmup, total = (factor.keywords[f"num_{n}_steps"] for n in ("warmup", "training"))
    falling = max(1, total - warmup)
    if how == "LinearLR":
        if warmup:
            raise ValueError("torch's LinearLR falls from the first step on")
        return torch.optim.lr_scheduler.LinearLR(lr_scheduler.optimizer, 1.0, 0.0, total)
    if how == "1 - step / total":
        lr_scheduler.lr_lambdas = [
            lambda step: factor(step) if step < warmup else max(0.0, 1 - (step - warmup) / falling)
        ] * len(lr_scheduler.lr_lambdas)
        return lr_scheduler
    if how != "lr * steps left / total":
        raise ValueError(f"unknown way of writing a linear schedule: {how}")

    def get_lr() -> list[float]:
        step = lr_scheduler.last_epoch
        if step < warmup:
            return [rate * factor(step) for rate in lr_scheduler.base_lrs]
        return [rate * max(0, total - step) / falling for rate in lr_scheduler.base_lrs]

    lr_scheduler.get_lr = get_lr
    return lr_scheduler
