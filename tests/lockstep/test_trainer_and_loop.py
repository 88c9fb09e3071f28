"""A stock Trainer beside a loop by hand: all that is wrong with the loop, and then nothing."""

import json
from typing import Any

from tests.helpers.observing import SCRIPTS, python

SEED = {("batch", "values"), ("rng", "generators"), ("weights", "tensors")}


def lockstep(*words: str) -> dict[str, Any]:
    scripts = SCRIPTS / "with_trainer.py", "--", SCRIPTS / "by_hand.py"
    result = python("-m", "reference", "lockstep", "--json", *scripts, *words)
    assert result.returncode == 1, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    assert told["proven"], told
    assert told["steps"] == 20
    return told


def fields(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["link"], each["field"]) for each in told["differences"]}


def test_everything_that_is_wrong_with_a_loop_is_told_in_one_run() -> None:
    told = lockstep()
    assert fields(told) == SEED | {
        ("mode", "training"),
        ("optimizer", "weight_decay"),
        ("optimizer", "fused"),
        ("clip", "norm"),
        ("schedule", "lr"),
    }
    words = " ".join(each["words"] + each["fix"] for each in told["differences"])
    assert "where the norm is above 0.5" in words
    assert "linear to 0 over 20 and 18 steps" in words
    assert "of 24 of 41 parameters (biases and norms: first bert.embeddings.LayerNorm" in words
    assert (
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5) before optimizer.step()" in words
    )


def test_a_loop_that_is_right_differs_in_its_seed_and_in_a_last_bit() -> None:
    told = lockstep("--right")
    assert fields(told) == SEED | {("schedule", "lr")}
    (rates,) = (each for each in told["differences"] if each["link"] == "schedule")
    assert "the same but for rounding" in rates["words"]
