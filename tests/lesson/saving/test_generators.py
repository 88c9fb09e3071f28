"""Every generator stands again where it stood, by way of JSON and safetensors."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from reference.lesson.recipe import Recipe
from reference.lesson.saving.generators import Generators
from reference.run.one_run import run
from reference.run.saving import Saving

DRAWS: dict[str, Callable[[], object]] = {
    "python": random.random,
    "python's second gauss": lambda: random.gauss(0, 1),
    "numpy": lambda: float(np.random.random()),
    "numpy's second gauss": lambda: float(np.random.standard_normal()),
    "torch": lambda: torch.rand(3).tolist(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_it_draws_the_same_again(draw: Callable[[], object]) -> None:
    draw()  # a gauss is drawn in pairs, so that one is left
    now = Generators.now()
    drawn = [draw() for _ in range(5)]
    tensors = safetensors.torch.load(safetensors.torch.save(now.tensors))
    Generators(tensors, json.loads(json.dumps(now.values))).set()
    assert [draw() for _ in range(5)] == drawn


def test_a_resumed_run_sets_all_of_them(small: Recipe, tmp_path: Path) -> None:
    def stand() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    with pytest.raises(SystemExit):
        run(small, "manual", tmp_path / "run", until=3, saving=Saving(every=3))
    saved = stand()
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    with pytest.raises(SystemExit):
        run(small, "manual", tmp_path / "run", until=4, saving=Saving(resume="newest"))
    assert stand()[:2] == saved[:2]  # dropout has drawn from torch's in between
