"""A stock Trainer beside a loop by hand, of four kinds: what is planted is told, and no more."""

from collections.abc import Callable
from typing import Any

import pytest

from reference import lockstep
from tests.lockstep import trainers
from tests.lockstep.trainers import ByHand, ByTrainer

OF_A_SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}
Told = set[tuple[str, str]]
CLIP, DECAY, RATE = ("clip", "norm"), ("optimizer", "weight_decay"), ("schedule", "lr")
MADE, MODE, LOSS = ("batch", "made of the same batch"), ("mode", "training"), ("gradient", "loss")
# The Trainer sums a causal model's loss, divides by the number of labels, and keeps no cache.
ITEMS, CACHE = ("batch", "argument num_items_in_batch"), ("forward", "setting use_cache")

PLANTED: list[tuple[Callable[[bool], Any], dict[str, Any], Told]] = [
    (trainers.tagger, {}, set()),
    (trainers.tagger, {"clip": 0.1, "decay": 0.0, "train": False}, {CLIP, DECAY, MODE}),
    (trainers.language_model, {}, {ITEMS, CACHE}),
    (
        trainers.language_model,
        {"scale": 2.0, "end": 8, "clip": 0.1},
        {ITEMS, CACHE, ("gradient", "norm"), RATE, CLIP},
    ),
    (trainers.images, {}, set()),
    (trainers.images, {"flips": True, "decay": 0.01}, {MADE, DECAY}),
    (trainers.adapted, {}, set()),
    (
        trainers.adapted,  # whichever of the three it is that moves the outputs
        {"other": True, "end": 8},
        {("forward", "setting scale"), ITEMS, CACHE, RATE},
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda each: f"{each[0].__name__} {each[1]}")
def test_what_is_planted_in_the_loop_is_told(
    planted: tuple[Callable[[bool], Any], dict[str, Any], Told],
) -> None:
    kind, wrong, expected = planted
    result = lockstep(ByTrainer(kind), ByHand(kind, **wrong))
    told = {(each.link, each.field) for each in result.differences}
    assert told - OF_A_SEED == expected, str(result)
    assert result.is_proven, str(result)
