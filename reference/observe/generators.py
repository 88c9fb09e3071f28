"""The global generators: Python's, NumPy's, torch's, each GPU's; kept, put back and hashed."""

import ctypes
import random
from typing import Any

import numpy as np
import torch
import xxhash

from reference.observe.tensors.hashing import buffer_of

WORDS = 625 * 4  # bytes of a Mersenne twister: 624 words, and a position


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


def hash_torch(state: torch.Tensor) -> str:
    """A hash of what `torch.get_rng_state()` gives, or a device's."""
    return xxhash.xxh3_64_hexdigest(buffer_of(state))


def generator_states() -> dict[str, str]:
    """A hash of the state of each global generator.

    Returns:
        16 hex digits by name: `python`, `numpy`, `torch`, and `cuda:0` and so on where a GPU is in
        use.
    """
    python = hash_python(random.getstate())
    return {"python": python, "numpy": hash_numpy(np.random.get_state(legacy=False)), **_torchs()}


def _torchs() -> dict[str, str]:
    states = {"torch": hash_torch(torch.get_rng_state())}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for device in range(torch.cuda.device_count()):
            states[f"cuda:{device}"] = hash_torch(torch.cuda.get_rng_state(device))
    return states


class StatesOfStep:
    """The generators as a step begins, and whether they moved in it.

    Most trainings draw from torch's alone. Python's state is hashed anew where it isn't the one
    before. NumPy takes 0.1 ms to tell its own. Its words lie in memory, and tell in no time that
    nothing was drawn: but for a normal number that it kept back, which must not have been there.
    """

    def __init__(self) -> None:
        self._python: tuple[tuple[Any, ...], str] = ((), "")  # its state, and the hash of it
        self._numpy = ""
        self._words = b""  # NumPy's, where its state follows from them

    def at_first(self) -> dict[str, str]:
        """As `generator_states`."""
        if not self._words or self._words != _numpys_words():
            state = np.random.get_state(legacy=False)
            self._numpy = hash_numpy(state)
            self._words = b"" if state.get("has_gauss") else _numpys_words()
        return {"python": self._pythons(), "numpy": self._numpy, **_torchs()}

    def later(self) -> dict[str, str]:
        """As `generator_states`; NumPy's hash is the first one's where nothing was drawn since."""
        if not self._words or self._words != _numpys_words():
            return generator_states()
        return {"python": self._pythons(), "numpy": self._numpy, **_torchs()}

    def _pythons(self) -> str:
        state = random.getstate()
        if state != self._python[0]:
            self._python = state, hash_python(state)
        return self._python[1]


def _numpys_words() -> bytes:
    """The words of NumPy's global generator, and its position in them, as they lie in memory."""
    twister = np.random.mtrand.get_bit_generator()
    if type(twister) is not np.random.MT19937:
        return b""
    return ctypes.string_at(twister.ctypes.state_address, WORDS)
