"""Hashes of tensors and of the generators' states: equal bits, equal hash.

They stand in every line of a ledger; see one with `python -m reference train manual`.

XXH3 (128 bits; 64 for each of many tensors) over the bytes: about 20 GB/s on one core, and no
collision to be met by accident. It is no proof against somebody who wants one.
"""

import ctypes
import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
import xxhash

from reference.observe.tensors.two_threads import (
    PIECE,
    WITH_LOCK,
    Shared,
    hash_buffer,
    hash_buffers,
    of_pieces,
)

EMPTY = memoryview(b"")
ROW = 1 << 13  # values summed at once: so few that no BLAS shares them among threads
CACHED = 1 << 20  # bytes that are still in the cache after they were hashed


def memory_of(tensor: torch.Tensor) -> memoryview:
    """The bytes of a dense tensor on the CPU, where they lie; only good as long as it lives.

    Not through NumPy: a script could then never resize its tensor again (seen in 2.13).
    """
    size = tensor.numel() * tensor.element_size()
    if size and not tensor.data_ptr():
        raise TypeError("a tensor whose memory was given back can't be hashed")
    return memoryview((ctypes.c_ubyte * size).from_address(tensor.data_ptr())) if size else EMPTY


def buffer_of(tensor: torch.Tensor) -> memoryview:
    """The tensor's bytes in its own order, on the CPU; a sparse one's are indices, then values.

    Raises TypeError for one whose bytes aren't to be had (nested, or without values).
    """
    plain = tensor.detach()
    if plain.is_nested or plain.is_meta:
        raise TypeError("a nested tensor, or one without values, can't be hashed")
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.layout != torch.strided:
        return memoryview(b"".join(bytes(buffer_of(part)) for part in _parts(plain)))
    if plain.device.type != "cpu" or not plain.is_contiguous():
        plain = plain.to("cpu").contiguous()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    memory = memory_of(plain)
    if memory.nbytes:
        memory.obj.owner = plain  # type: ignore[attr-defined]  # keeps it where it is
    return memory


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
    return hash_buffers([None if t is None else buffer_of(t) for t in tensors])


def begin_hashes_and_norms(
    tensors: Sequence[torch.Tensor | None],
) -> Callable[[], list[tuple[str, float]]]:
    """Of each tensor, which is held until then; ('-', 0.0) for one that is absent.

    Begun by the other core or done; to be called for the result.
    """
    pieces: list[tuple[int, memoryview | torch.Tensor]] = []
    held: list[Any] = [tensors]  # while the other thread reads, also where nobody asks for it
    for place, tensor in enumerate(tensors):
        if tensor is not None:
            own, holder = _pieces(tensor)
            pieces += ((place, piece) for piece in own)
            held.append(holder)
    size = sum(piece.nbytes for _, piece in pieces if isinstance(piece, memoryview))
    size += sum(p.numel() * p.element_size() for _, p in pieces if isinstance(p, torch.Tensor))
    quiet = partial(np.errstate, all="ignore")  # a square too large or too small is no news

    def work(piece: memoryview | torch.Tensor, _held: Any = held) -> tuple[str, float]:
        return _hash_and_square(piece)

    shared = Shared(work, [piece for _, piece in pieces], size, within=quiet)

    def finish() -> list[tuple[str, float]]:
        found: list[list[tuple[str, float]]] = [[] for _ in tensors]
        for (place, _), result in zip(pieces, shared.results(), strict=True):
            found[place].append(result)
        return [_joined(parts) for parts in found]

    return finish


def _pieces(tensor: torch.Tensor) -> tuple[Sequence[memoryview | torch.Tensor], Any]:
    """As much at once as is hashed by itself: of float32 its bytes, of any other kind all of it.

    And what holds these bytes, where the pieces are only addresses: the storage, since
    `gradient.data = another` gives a tensor's own back.
    """
    if tensor.layout != torch.strided or tensor.dtype != torch.float32:
        return [tensor.detach().cpu()], None  # copied by this thread, in its stream
    if _lies_plainly(tensor):
        return _pieces_at(tensor.data_ptr(), 4 * tensor.numel()), tensor.untyped_storage()
    return _cut(buffer_of(tensor)), None


def _lies_plainly(tensor: torch.Tensor) -> bool:
    """Whether its bytes are just what lies at its address, as a gradient's are."""
    if type(tensor) is not torch.Tensor or not tensor.is_cpu or tensor.is_nested:
        return False
    plain = tensor.is_contiguous() and not tensor.is_neg() and not tensor._is_zerotensor()
    return plain and bool(tensor.numel()) and bool(tensor.data_ptr())


@lru_cache(maxsize=4096)
def _pieces_at(address: int, size: int) -> tuple[memoryview, ...]:
    """Only good while a tensor lies there, which they don't keep; known again at the next step."""
    return tuple(_cut(memoryview((ctypes.c_ubyte * size).from_address(address))))


def _cut(memory: memoryview) -> list[memoryview]:
    return [memory[start : start + PIECE] for start in range(0, max(memory.nbytes, 1), PIECE)]


def _joined(parts: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """A tensor's hash and norm from its pieces' hashes and squared norms; ('-', 0.0) for none."""
    hash_ = of_pieces([hash_ for hash_, _ in parts])
    return hash_, math.sqrt(sum(square for _, square in parts))


def _hash_and_square(memory: memoryview | torch.Tensor) -> tuple[str, float]:
    """Part by part, so that what is hashed is still in the cache when it is squared."""
    if isinstance(memory, torch.Tensor):
        return _of_other_kind(memory)
    if memory.nbytes < WITH_LOCK:
        return xxhash.xxh3_64_hexdigest(memory), _square(memory, np.float32)
    found, square = xxhash.xxh3_64(), 0.0
    for start in range(0, memory.nbytes, CACHED):
        part = memory[start : start + CACHED]
        found.update(part)
        square += _square(part, np.float32)
    return found.hexdigest(), square


def _of_other_kind(tensor: torch.Tensor) -> tuple[str, float]:
    """The same of another type or layout; a sparse tensor's norm is that of its values."""
    values = tensor if tensor.layout == torch.strided else _parts(tensor)[-1]
    wide = torch.complex128 if values.is_complex() else torch.float64  # twice a float64
    parts = _split(values.reshape(-1), CACHED // 8)
    squares = [_square(buffer_of(part.to(wide)), np.float64) for part in parts]
    return hash_buffer(buffer_of(tensor)), sum(squares)


def _square(memory: memoryview, kind: type[np.floating[Any]]) -> float:
    """The sum of squares, row by row: each is so short that it is summed by one thread.

    `torch.dot` shares longer ones among as many threads as the caller is allowed, and sums in
    another order then: on an AMD EPYC two cores gave another norm than one (2026-11-27).
    """
    if not memory.nbytes:
        return 0.0
    # As few calls as it can be: the other thread can't go on during what they do in Python.
    values = np.frombuffer(memory, kind)
    whole = len(values) // ROW * ROW
    rest = values[whole:]
    square = float(np.dot(rest, rest)) if len(rest) else 0.0
    if whole:
        rows = values[:whole].reshape(-1, ROW)
        square += sum(np.vecdot(rows, rows).tolist())
    return square


def _split(flat: torch.Tensor, size: int) -> list[torch.Tensor]:
    return [flat[start : start + size] for start in range(0, len(flat), size)]
