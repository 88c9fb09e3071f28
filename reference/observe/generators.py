"""The global generators: Python's, NumPy's, torch's, each GPU's; kept, put back and hashed."""

import random
from typing import Any

import numpy as np
import torch
import xxhash

from reference.observe.tensors.hashing import buffer_of


def generators() -> tuple[Any, ...]:
    """The state of each global generator. To ask a GPU that nobody uses yet would claim it.

    Returns:
        What `set_generators` takes.
    """
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


def hash_python(state: tuple[Any, ...]) -> str:
    """A hash of what `random.getstate()` gives: version, words, and a normal number kept back."""
    version, words, gauss = state
    digest = xxhash.xxh3_64(np.array(words, dtype=np.uint64).tobytes())
    digest.update(repr((version, gauss)).encode())
    return digest.hexdigest()


def hash_numpy(state: dict[str, Any]) -> str:
    """A hash of what `numpy.random.get_state(legacy=False)` gives, of any kind of generator."""
    inner = state["state"]
    if "key" not in inner:  # not the Mersenne twister: a few whole numbers
        return xxhash.xxh3_64_hexdigest(repr(state).encode())
    position = (int(inner["pos"]), state["has_gauss"], state["gauss"])
    digest = xxhash.xxh3_64(inner["key"].tobytes())
    digest.update(repr(position).encode())
    return digest.hexdigest()


def generator_states() -> dict[str, str]:
    """A hash of the state of each global generator.

    Returns:
        16 hex digits by name: `python`, `numpy`, `torch`, and `cuda:0` and so on where a GPU is in
        use.
    """
    states = {
        "python": hash_python(random.getstate()),
        "numpy": hash_numpy(np.random.get_state(legacy=False)),
        "torch": xxhash.xxh3_64_hexdigest(buffer_of(torch.get_rng_state())),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for device in range(torch.cuda.device_count()):
            state = torch.cuda.get_rng_state(device)
            states[f"cuda:{device}"] = xxhash.xxh3_64_hexdigest(buffer_of(state))
    return states
