"""Trainings of other kinds, beside another seed: what is planted is told, and nothing else."""

from typing import Any

import pytest

from reference import lockstep
from tests.lockstep import strangers
from tests.lockstep.strangers import (
    CausalLM,
    Distillation,
    Gan,
    Images,
    Lbfgs,
    Lora,
    TokenClassification,
)

OF_A_SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}
OF_A_SEED |= {("weights", "buffers")}
Told = set[tuple[str, str]]

PLANTED: list[tuple[Any, dict[str, Any], Told]] = [
    (TokenClassification, {}, set()),
    (TokenClassification, {"smoothing": 0.1}, {("forward", "loss label_smoothing")}),
    (CausalLM, {}, set()),
    (CausalLM, {"clip": 0.2}, {("clip", "norm")}),
    (Images, {}, set()),
    (Images, {"momentum": 0.8}, {("optimizer", "momentum")}),
    (Images, {"frozen_norm": True}, {("mode", "training")}),
    (Gan, {}, set()),
    (Gan, {"rate": 2e-3}, {("schedule", "lr")}),
    (Distillation, {}, set()),
    (Distillation, {"warmth": 4.0}, {("gradient", "norm")}),
    (Lora, {}, set()),
    (Lora, {"scale": 1.0}, {("forward", "setting scale")}),
    (Lora, {"rate": 5e-3}, {("schedule", "lr")}),
    (Lbfgs, {}, set()),
    (Lbfgs, {"decay": 0.1}, {("gradient", "norm")}),
]


def name_of(planted: tuple[Any, dict[str, Any], Told]) -> str:
    return f"{planted[0].__name__} {planted[1]}"


@pytest.mark.parametrize("planted", PLANTED, ids=name_of)
def test_what_is_planted_is_told(planted: tuple[Any, dict[str, Any], Told]) -> None:
    kind, changed, expected = planted
    result = lockstep(kind(1), kind(7, **changed))
    told = {(each.link, each.field) for each in result.differences}
    assert told - OF_A_SEED == expected, str(result)
    assert result.is_proven, str(result)


def test_targets_that_no_hook_sees_are_no_difference_of_their_own() -> None:
    result = lockstep(strangers.OwnArithmetic(1), strangers.OwnArithmetic(7))
    told = {(each.link, each.field) for each in result.differences}
    assert told <= OF_A_SEED, str(result)
    assert "may follow from B's own targets" in str(result)
    assert result.is_proven


def test_a_forgotten_shift_is_told_as_what_it_is() -> None:
    """Its targets have another shape: that can't be put in place, and is said."""
    result = lockstep(strangers.CausalLM(1), strangers.CausalLM(7, shift=0))
    assert "another shape" in result.unproven, str(result)
