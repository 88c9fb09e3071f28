"""An optimizer's state as tensors and JSON, and put into an optimizer again."""

from typing import Any

import torch
from torch import Tensor

Record = dict[str, Any]


def taken_apart(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], Record]:
    """What an optimizer keeps for each parameter, and its hyper-parameters.

    Returns:
        The tensors, as `3.exp_avg` of the parameter 3; and the rest, for JSON: `groups` of
        hyper-parameters, and `numbers`, which are what it keeps that is no tensor.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: Record = {}
    for parameter, kept in state["state"].items():
        for name, value in kept.items():
            where = tensors if isinstance(value, Tensor) else numbers
            where[f"{parameter}.{name}"] = value
    return tensors, {"groups": state["param_groups"], "numbers": numbers}


def put_together(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], rest: Record
) -> None:
    """Give an optimizer what `taken_apart` gave of another, of the same parameters.

    Raises:
        ValueError: They aren't the same parameters.
    """
    own = optimizer.state_dict()["param_groups"]
    if [group["params"] for group in own] != [group["params"] for group in rest["groups"]]:
        raise ValueError("other groups of parameters")
    state: dict[int, Record] = {}
    for key, value in (*tensors.items(), *rest["numbers"].items()):
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    groups = [
        # JSON has lists for tuples, as of betas.
        {n: tuple(v) if isinstance(mine.get(n), tuple) else v for n, v in saved.items()}
        for mine, saved in zip(own, rest["groups"], strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
