"""The global generators' states, kept and put back: Python's, NumPy's, torch's, each GPU's.

Used by `python -m reference explain`, for replays that go on from one moment.
"""

import random
from typing import Any

import numpy as np
import torch


def generators() -> tuple[Any, ...]:
    """The state of each global generator. To ask a GPU that nobody uses yet would claim it."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if used else []
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda


def set_generators(states: tuple[Any, ...]) -> None:
    """Put back what `generators` gave."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    if states[3]:
        torch.cuda.set_rng_state_all(states[3])
