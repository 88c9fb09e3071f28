"""Each planted difference is told, and nothing else; and with A's in its place B is A's run."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from reference import lockstep
from reference.lockstep.result import Lockstep
from tests.lockstep.small_training import A

SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}
Told = set[tuple[str, str]]


# What B has in A's place, and what has to be told of it.
PLANTED: dict[str, tuple[dict[str, Any], Told]] = {
    "nothing": ({}, set()),
    "clip": ({"clip": None}, {("clip", "norm")}),
    "another clip": ({"clip": 0.2}, {("clip", "norm")}),
    "clip after the step": ({"clip_late": True}, {("clip", "norm")}),
    "decay": ({"decay": 0.01, "decay_of_biases": 0.01}, {("optimizer", "weight_decay")}),
    "decay of biases": ({"decay_of_biases": 0.0}, {("optimizer", "weight_decay")}),
    "rate": ({"rate": 2e-2}, {("schedule", "lr")}),
    "schedule": ({"end": 7}, {("schedule", "lr")}),
    "dropout": ({"dropout": 0.3}, {("forward", "setting p")}),
    "mode": ({"train_mode": False}, {("mode", "training")}),
    "label smoothing": ({"smoothing": 0.1}, {("forward", "loss label_smoothing")}),
    "scaled loss": ({"scale": 0.5}, {("gradient", "norm")}),
    "never zeroed": ({"zero": False}, {("zeroed", "zeroed")}),
    "optimizer": (
        {"optimizer": torch.optim.NAdam},
        {("optimizer", "class"), ("optimizer", "decoupled_weight_decay"), ("optimizer", "state")},
    ),
    "frozen": ({"frozen": True}, {("mode", "frozen")}),
    "batch size": ({"batch": 16}, {("batch", "rows")}),
    "a draw in each step": ({"draw": True}, {("rng", "draws")}),
    "autocast": ({"autocast": True}, {("forward", "autocast")}),
    "changed gradients": ({"noise": True}, {("gradient", "changed")}),
}


def told(result: Lockstep) -> Told:
    return {(each.link, each.field) for each in result.differences}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_told_beside_another_seed(name: str) -> None:
    changed, expected = PLANTED[name]
    result = lockstep(A, replace(A, seed=7, **changed))
    assert told(result) == SEED | expected, str(result)
    assert result.is_proven, str(result)
    assert result.exit_code == 1


def test_a_training_beside_itself_has_none() -> None:
    result = lockstep(A, A)
    assert told(result) == set(), str(result)
    assert result.exit_code == 0
    assert "no difference; B is A's run: 6 steps, every link, bit for bit" in str(result)
