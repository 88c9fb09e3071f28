"""Whether a step drew random numbers is told as exactly by a look at memory as by asking."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from reference.observe.generators import StatesOfStep, generator_states

DRAWS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "a uniform number": np.random.rand,
    "a normal number": np.random.randn,
    "a seed": lambda: np.random.seed(3),
    "another generator": lambda: np.random.set_bit_generator(np.random.PCG64(1)),
}


@pytest.fixture(autouse=True)
def same_generator_afterwards() -> Iterator[None]:
    before = np.random.get_bit_generator()
    yield
    np.random.set_bit_generator(before)


@pytest.mark.parametrize("kept_back", [False, True])
@pytest.mark.parametrize("draw", DRAWS)
def test_what_numpy_drew_in_a_step_is_seen(draw: str, kept_back: bool) -> None:
    np.random.seed(1)
    if kept_back:
        np.random.randn()  # it made two, and keeps one: the next one moves no word
    states = StatesOfStep()
    before = states.at_first()
    assert before == generator_states()
    DRAWS[draw]()
    later = states.later()
    assert later == generator_states()
    assert (before["numpy"] != later["numpy"]) == (draw != "nothing")


def test_what_python_drew_in_a_step_is_seen() -> None:
    states = StatesOfStep()
    before = states.at_first()
    assert states.later() == before
    random.gauss(0, 1)  # it keeps a second one back, too
    assert states.later() == generator_states() != before
    random.gauss(0, 1)
    assert states.later() == generator_states()
