"""Hashes of tensors and of the generators' states: equal bits, equal hash.

They stand in every line of a ledger; see one with `python -m reference train manual`.

XXH3 (128 bits; 64 for each of many tensors) over the bytes: about 20 GB/s on one core, and no
collision to be met by accident. It is no proof against somebody who wants one.
"""

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import xxhash

CHUNK = 1 << 18  # elements: what is hashed is still in the cache when its norm is taken


def buffer_of(tensor: torch.Tensor) -> memoryview:
    """The tensor's bytes in its own order, on the CPU; a sparse one's are indices, then values."""
    plain = tensor.detach()
    if plain.layout != torch.strided:
        return memoryview(b"".join(bytes(buffer_of(part)) for part in _parts(plain)))
    if plain.device.type != "cpu" or not plain.is_contiguous():
        plain = plain.to("cpu").contiguous()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    if plain.dtype not in _NUMPY:
        plain = plain.reshape(-1).view(torch.uint8)  # bfloat16 and float8: NumPy has none
    return plain.numpy().data if plain.numel() else memoryview(b"")


_NUMPY = frozenset(
    getattr(torch, name)
    for name in (
        *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
)


def _parts(sparse: torch.Tensor) -> tuple[torch.Tensor, ...]:
    if sparse.layout == torch.sparse_coo:
        whole = sparse.coalesce()
        return whole.indices(), whole.values()
    dense: torch.Tensor = sparse.to_dense()
    return (dense,)


def hash_tensor(tensor: torch.Tensor) -> str:
    """32 hex digits for the values of one tensor (not its shape or type)."""
    return xxhash.xxh3_128_hexdigest(buffer_of(tensor))


def hash_tensors(tensors: Iterable[torch.Tensor | None]) -> list[str]:
    """16 hex digits for each; an absent one (a gradient that is None) is '-'."""
    return ["-" if t is None else xxhash.xxh3_64_hexdigest(buffer_of(t)) for t in tensors]


def hash_and_norm(tensor: torch.Tensor) -> tuple[str, float]:
    """The hash that `hash_tensors` gives, and the 2-norm, in one pass over the memory."""
    plain = tensor.detach()
    if plain.layout != torch.strided:
        plain = _parts(plain)[-1]
        return hash_tensors([tensor])[0], float(torch.linalg.vector_norm(plain.float()))
    if plain.device.type != "cpu":
        plain = plain.to("cpu")
    flat = plain.contiguous().view(-1)
    if flat.dtype != torch.float32:
        return hash_tensors([flat])[0], float(torch.linalg.vector_norm(flat.to(torch.float32)))
    if len(flat) <= CHUNK:
        return xxhash.xxh3_64_hexdigest(flat.numpy().data), float(torch.linalg.vector_norm(flat))
    digest = xxhash.xxh3_64()
    square = 0.0
    for start in range(0, len(flat), CHUNK):
        chunk = flat[start : start + CHUNK]
        digest.update(chunk.numpy().data)
        square += float(torch.dot(chunk, chunk))
    return digest.hexdigest(), math.sqrt(square) if square >= 0 else math.nan


def combine(hashes: Sequence[str]) -> str:
    """One hash for a list of them, in order."""
    return xxhash.xxh3_128_hexdigest(",".join(hashes).encode())


def hash_python(state: tuple[Any, ...]) -> str:
    """A hash of what `random.getstate()` gives: version, words, and a normal number kept back."""
    version, words, gauss = state
    digest = xxhash.xxh3_64(np.array(words, dtype=np.uint64).tobytes())
    digest.update(repr((version, gauss)).encode())
    return digest.hexdigest()


def generator_states() -> dict[str, str]:
    """A hash of the state of each global generator: Python's, NumPy's, torch's, each device's."""
    numpy_state = np.random.get_state(legacy=False)
    inner = numpy_state["state"]
    position = (int(inner["pos"]), numpy_state["has_gauss"], numpy_state["gauss"])
    numpy_hash = xxhash.xxh3_64(inner["key"].tobytes())
    numpy_hash.update(repr(position).encode())
    states = {
        "python": hash_python(random.getstate()),
        "numpy": numpy_hash.hexdigest(),
        "torch": xxhash.xxh3_64_hexdigest(buffer_of(torch.get_rng_state())),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for device in range(torch.cuda.device_count()):
            state = torch.cuda.get_rng_state(device)
            states[f"cuda:{device}"] = xxhash.xxh3_64_hexdigest(buffer_of(state))
    return states
