"""`assert_same_run` leaves a session as it was: settings, generators, the next call's data."""

import os
import random
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from accelerate.state import AcceleratorState, GradientState, PartialState

from reference.lesson.loops import accelerated
from reference.lesson.recipe import Recipe
from reference.testing import assert_same_run
from tests.testing.test_assert import CPU, loop, message


def state() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": repr(np.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "type": torch.get_default_dtype(),
        "transformers": transformers.logging.get_verbosity(),
        "transformers' bars": transformers.logging.is_progress_bar_enabled(),
        "datasets": datasets.logging.get_verbosity(),
        "datasets' bars": datasets.are_progress_bars_disabled(),
        "shared": [dict(s._shared_state) for s in (PartialState, AcceleratorState, GradientState)],
        "environment": dict(os.environ),
    }


def rude(recipe: Recipe, data: Any) -> None:
    """Leaves all that it can behind."""
    accelerated.train(recipe, data)
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(True)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_debug()
    os.environ["ACCELERATE_LEFT"] = "1"
    raise ArithmeticError


def test_each_call_has_data_of_its_own() -> None:
    def spoil(train_dataloader: Any) -> None:
        train_dataloader.dataset.set_format(None)
        train_dataloader.collate_fn.tokenizer.padding_side = "left"

    def look(data: Any, tokenizer: Any) -> None:
        seen.append((data.train.format["type"], tokenizer.padding_side))

    seen: list[Any] = []
    message(spoil)
    message(look)
    assert seen == [("torch", "right")]


@pytest.mark.parametrize("verbose", [False, True])
def test_global_state_is_put_back(verbose: bool) -> None:
    before_all = state()
    if verbose:
        transformers.logging.set_verbosity_info()
        transformers.logging.enable_progress_bar()
        datasets.logging.set_verbosity_info()
        datasets.enable_progress_bars()
        torch.set_num_threads(2)
        PartialState(cpu=True)
    before = state()
    try:
        with pytest.raises(ArithmeticError):
            assert_same_run(rude, max_steps=2, **CPU)
        assert state() == before
        assert_same_run(loop(), max_steps=2, **CPU)
        message(loop(max_grad_norm=0.0), max_steps=2)
        assert state() == before
    finally:
        torch.set_num_threads(before_all["threads"])
        transformers.logging.set_verbosity(before_all["transformers"])
        datasets.logging.set_verbosity(before_all["datasets"])
        if not before_all["transformers' bars"]:
            transformers.logging.disable_progress_bar()
        if before_all["datasets' bars"]:
            datasets.disable_progress_bars()


def test_the_hosts_settings_change_nothing() -> None:
    """Neither what a test before it left behind, nor warnings as errors (all of these tests)."""
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    try:
        assert_same_run(loop(), max_steps=2, **CPU)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
