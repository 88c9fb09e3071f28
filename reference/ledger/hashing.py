"""Hashes of tensors and of the generators' states: equal bits, equal hash.

They stand in every line of a ledger; see one with `python -m reference train manual`.

XXH3 (128 bits; 64 for each of many tensors) over the bytes: about 20 GB/s on one core, and no
collision to be met by accident. It is no proof against somebody who wants one.
"""

import random
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import xxhash


def buffer_of(tensor: torch.Tensor) -> memoryview:
    """The tensor's bytes in its own order, on the CPU."""
    plain = tensor.detach()
    if plain.device.type != "cpu" or not plain.is_contiguous():
        plain = plain.to("cpu").contiguous()
    if plain.dtype == torch.bfloat16:
        plain = plain.view(torch.uint16)  # NumPy has no bfloat16
    return plain.numpy().data if plain.numel() else memoryview(b"")


def hash_tensor(tensor: torch.Tensor) -> str:
    """32 hex digits for the values of one tensor (not its shape or type)."""
    return xxhash.xxh3_128_hexdigest(buffer_of(tensor))


def hash_tensors(tensors: Iterable[torch.Tensor | None]) -> list[str]:
    """16 hex digits for each; an absent one (a gradient that is None) is '-'."""
    return ["-" if t is None else xxhash.xxh3_64_hexdigest(buffer_of(t)) for t in tensors]


def combine(hashes: Sequence[str]) -> str:
    """One hash for a list of them, in order."""
    return xxhash.xxh3_128_hexdigest(",".join(hashes).encode())


def generator_states() -> dict[str, str]:
    """A hash of the state of each global generator: Python's, NumPy's, torch's, each device's."""
    numpy_state = np.random.get_state(legacy=False)
    words = numpy_state["state"]
    position = (int(words["pos"]), numpy_state["has_gauss"], numpy_state["gauss"])
    numpy_hash = xxhash.xxh3_64(words["key"].tobytes())
    numpy_hash.update(repr(position).encode())
    states = {
        "python": xxhash.xxh3_64_hexdigest(repr(random.getstate()).encode()),
        "numpy": numpy_hash.hexdigest(),
        "torch": xxhash.xxh3_64_hexdigest(buffer_of(torch.get_rng_state())),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for device in range(torch.cuda.device_count()):
            state = torch.cuda.get_rng_state(device)
            states[f"cuda:{device}"] = xxhash.xxh3_64_hexdigest(buffer_of(state))
    return states
