"""A second difference that lies behind a first one is told beside it, or the proof isn't given."""

from typing import Any

import pytest
import torch

from reference import lockstep
from tests.lockstep.hidden import Faulty

SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}
Told = set[tuple[str, str]]
CLIP, NORM, RATE = ("clip", "norm"), ("gradient", "norm"), ("schedule", "lr")
CHANGED, MODE = ("gradient", "changed"), ("mode", "training")
STATE, DECAY = ("optimizer", "state"), ("optimizer", "weight_decay")
COUPLED = ("optimizer", "decoupled_weight_decay")
BETAS, SMOOTHING = ("optimizer", "betas"), ("forward", "loss label_smoothing")
SETTING, MOMENTUM = ("forward", "setting p"), ("forward", "setting momentum")
# Two passes are of fewer rows each, and a teacher is called twice.
PASSES = {("batch", "passes"), ("batch", "rows"), ("metrics", "evaluation")}
AUTOCAST, DRAWS = ("forward", "autocast"), ("rng", "draws")
ADAM = {"maker": torch.optim.Adam}

# What is wrong with B, the first hiding the second; and what has to be told of it.
PAIRS: dict[str, tuple[dict[str, Any], Told]] = {
    "eval mode, and another dropout": ({"train": False, "dropout": 0.5}, {MODE, SETTING}),
    "eval mode, and another momentum": ({"train": False, "momentum": 0.5}, {MODE, MOMENTUM}),
    "another class, and other betas": ({**ADAM, "betas": (0.8, 0.999)}, {COUPLED, BETAS}),
    "another class, and no state": ({**ADAM, "forgets_at": 3}, {COUPLED, STATE}),
    "another way to step, and no state": (
        {"more": {"foreach": True}, "forgets_at": 3},
        {STATE},
    ),
    "a larger loss, and no clip": ({"scale": 4.0, "clip": None}, {NORM, CLIP}),
    "a larger loss, and another decay": ({"scale": 4.0, "decay": 0.0}, {NORM, DECAY}),
    "no clip, and changed gradients": ({"clip": None, "noise": 0.1}, {CLIP, CHANGED}),
    "another clip, and changed gradients": ({"clip": 0.05, "noise": 0.1}, {CLIP, CHANGED}),
    "another clip, and changed after it": (
        {"clip": 0.05, "noise_after": 0.1},
        {CLIP, CHANGED},
    ),
    "a second clip, and changed gradients": (
        {"clip_twice": True, "noise": 0.1},
        {CHANGED, CLIP},
    ),
    "never zeroed, and a larger loss": (
        {"zero": False, "scale": 2.0},
        {("zeroed", "zeroed"), NORM},
    ),
    "a part left out, and another decay": (
        {"left_out": True, "decay": 0.0},
        {("optimizer", "in a group"), DECAY},
    ),
    "frozen, and another rate": (
        {"frozen": True, "rate": 2e-2},
        {("mode", "frozen"), ("optimizer", "in a group"), RATE},
    ),
    "autocast, and smoothed labels": ({"autocast": True, "smoothing": 0.1}, {AUTOCAST, SMOOTHING}),
    "smoothed labels, and a larger loss": ({"smoothing": 0.1, "scale": 2.0}, {SMOOTHING, NORM}),
    "another dropout, and smoothed labels": (
        {"dropout": 0.5, "smoothing": 0.1},
        {SETTING, SMOOTHING},
    ),
    "a sum, and smoothed labels": (
        {"reduction": "sum", "smoothing": 0.1},
        {("forward", "loss reduction"), SMOOTHING},
    ),
    "more rows, and no clip": ({"batch": 16, "clip": None}, {("batch", "rows"), CLIP}),
    "flipped labels, and draws": (
        {"flips": True, "draws": True},
        {("batch", "made of the same batch"), DRAWS},
    ),
    "two passes, and no clip": ({"parts": 2, "clip": None}, {*PASSES, ("clip", "bound")}),
    "two passes, and no state": ({"parts": 2, "forgets_at": 3}, {*PASSES, STATE}),
    "two passes, and never zeroed": ({"parts": 2, "zero": False}, {*PASSES, ("zeroed", "zeroed")}),
    "two passes, and a larger loss": (
        {"parts": 2, "scale": 2.0},
        {*PASSES, ("gradient", "weight")},
    ),
    "another rate, and moved weights": (
        {"rate": 2e-2, "moves_weights_at": 2},
        {RATE, ("weights", "changed between steps")},
    ),
    "another decay, and another teacher": (
        {"decay": 0.0, "teacher_share": 0.5},
        {DECAY, ("weights", "of another model")},
    ),
    "a larger loss, and a hook": ({"scale": 2.0, "hook": 3.0}, {NORM}),
    "a larger loss, and a part without a gradient": ({"scale": 2.0, "detach": True}, {NORM}),
    "another schedule, and a late change": (
        {"end": 7, "noise": 0.1, "noise_from": 4},
        {RATE, CHANGED},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_lies_behind_another_difference_is_told(name: str) -> None:
    wrong, expected = PAIRS[name]
    # Of several losses in one pass it isn't known what each weighs.
    soft = 0.0 if "parts" in wrong else 0.1
    result = lockstep(Faulty(seed=1, soft=soft), Faulty(soft=soft, **wrong))
    told = {(each.link, each.field) for each in result.differences}
    assert told - SEED == expected, str(result)
    assert result.is_proven, str(result)


def test_passes_of_several_losses_each_prove_nothing() -> None:
    result = lockstep(Faulty(seed=1), Faulty(parts=2))
    assert "of whose losses B makes one sum" in result.unproven
