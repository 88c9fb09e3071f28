"""Hashes of tensors, and norms beside them: equal bits, equal hash.

XXH3 (128 bits; 64 for each of many tensors) over the bytes: about 20 GB/s on one core, and no
collision to be met by accident. It is no proof against somebody who wants one.
"""

import ctypes
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
import xxhash

from reference.observe.tensors.memory import LOW, is_given_back
from reference.observe.tensors.shards import local_part
from reference.observe.tensors.two_threads import (
    PIECE,
    WITH_LOCK,
    SharedWork,
    hash_buffer,
    hash_buffers,
    of_pieces,
)
from reference.observe.torch_internals import is_zero_tensor

Piece = memoryview | torch.Tensor  # what is hashed by itself

EMPTY = memoryview(b"")
ROW = 1 << 13  # values summed at once: so few that no BLAS shares them among threads
CACHED = 1 << 20  # bytes that are still in the cache after they were hashed


def memory_of(tensor: torch.Tensor) -> memoryview:
    """The bytes of a dense tensor on the CPU, where they lie.

    The view and its slices hold the tensor's storage, which stays where it is as long as they live.

    Raises:
        TypeError: for a tensor whose memory was given back.
    """
    size, address = tensor.nbytes, tensor.data_ptr()
    if size == 0:
        return EMPTY
    if address < LOW and is_given_back(tensor):
        raise TypeError("a tensor whose memory was given back can't be hashed")
    # Not through NumPy: a script could then never resize its tensor again (seen in 2.13).
    memory: Any = (ctypes.c_ubyte * size).from_address(address)
    memory.holds = tensor.untyped_storage()
    return memoryview(memory)


def buffer_of(tensor: torch.Tensor) -> memoryview:
    """The tensor's bytes in its own order, on the CPU; a sparse one's are indices, then values.

    Raises:
        TypeError: for one whose bytes aren't to be had (nested, or without values).
    """
    plain = local_part(tensor).detach()
    if plain.is_nested or plain.is_meta:
        raise TypeError("a nested tensor, or one without values, can't be hashed")
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.layout != torch.strided:
        return memoryview(b"".join(bytes(buffer_of(part)) for part in _parts(plain)))
    if not plain.is_cpu or not plain.is_contiguous():
        plain = plain.to("cpu").contiguous()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    return memory_of(plain)


def _parts(sparse: torch.Tensor) -> tuple[torch.Tensor, ...]:
    if sparse.layout == torch.sparse_coo:
        merged = sparse.coalesce()
        return merged.indices(), merged.values()
    dense: torch.Tensor = sparse.to_dense()
    return (dense,)


def hash_tensor(tensor: torch.Tensor) -> str:
    """32 hex digits for the values of one tensor (not its shape or type).

    Raises:
        TypeError: as `buffer_of`.
    """
    return xxhash.xxh3_128_hexdigest(buffer_of(tensor))


def hash_tensors(tensors: Iterable[torch.Tensor | None]) -> list[str]:
    """16 hex digits for the values of each; an absent one (a gradient that is None) is '-'.

    Raises:
        TypeError: as `buffer_of`.
    """
    return hash_buffers([None if t is None else buffer_of(t) for t in tensors])


class Views:
    """Of tensors that are read twice, views of their memory, to be used the second time again.

    It holds the tensors, and so their memory, until it is cleared.
    """

    def __init__(self) -> None:
        # By a tensor's id: it, its address, its size in bytes, and its pieces.
        self._known: dict[int, tuple[torch.Tensor, int, int, list[Piece]]] = {}

    def pieces_of(self, tensor: torch.Tensor) -> list[Piece]:
        """What of the tensor is hashed by itself."""
        if tensor.dtype != torch.float32 or not _lies_plainly(tensor):
            return _pieces(tensor)
        address, size = tensor.data_ptr(), tensor.nbytes
        known = self._known.get(id(tensor))
        if known is not None and known[1] == address and known[2] == size:
            return known[3]
        pieces = _cut(memory_of(tensor))
        self._known[id(tensor)] = tensor, address, size, pieces
        return pieces

    def clear(self) -> None:
        """Hold no tensor any more."""
        self._known.clear()


def begin_hashes_and_norms(
    tensors: Sequence[torch.Tensor | None], views: Views | None = None
) -> Callable[[], list[tuple[str, float]]]:
    """Begin to read tensors in another thread, where that is worth it; else read them now.

    Their memory is held until it was read, also where nobody asks for the result.

    Args:
        tensors: of any shape, type and device; None for one that is absent.
        views: of those that were read shortly before, and will be soon.

    Returns:
        To be called for the hash (16 hex digits) and the 2-norm of each, in their order; '-' and
        0.0 for one that is absent.
    """
    pieces: list[Piece] = []
    counts: list[int] = []  # of each tensor's pieces
    size = 0  # in bytes; a sparse tensor's as if it were dense
    pieces_of = _pieces if views is None else views.pieces_of
    for tensor in tensors:
        own = [] if tensor is None else pieces_of(tensor)
        pieces += own
        counts.append(len(own))
        if tensor is not None:
            size += tensor.numel() * tensor.element_size()
    quiet = partial(np.errstate, all="ignore")  # a square too large or too small is no news

    shared = SharedWork(_hash_and_square, pieces, size, within=quiet)

    def finish() -> list[tuple[str, float]]:
        results = iter(shared.results())
        return [
            _of_one(next(results)) if count == 1 else _joined(list(islice(results, count)))
            for count in counts
        ]

    return finish


def _pieces(tensor: torch.Tensor) -> list[Piece]:
    """As much at once as is hashed by itself: of float32 its bytes, of any other kind all of it."""
    tensor = local_part(tensor)
    if tensor.layout != torch.strided or tensor.dtype != torch.float32:
        return [tensor.detach().cpu()]  # copied by this thread, in its stream
    return _cut(memory_of(tensor) if _lies_plainly(tensor) else buffer_of(tensor))


def _cut(memory: memoryview) -> list[Piece]:
    if memory.nbytes <= PIECE:
        return [memory]
    return [memory[start : start + PIECE] for start in range(0, memory.nbytes, PIECE)]


def _lies_plainly(tensor: torch.Tensor) -> bool:
    """Whether its bytes are just what lies at its address, as a gradient's are."""
    if type(tensor) is not torch.Tensor or not tensor.is_cpu or tensor.is_nested:
        return False
    return tensor.is_contiguous() and not (tensor.is_neg() or is_zero_tensor(tensor))


def _of_one(part: tuple[str, float]) -> tuple[str, float]:
    """The same of a tensor that is one piece, as most are."""
    return part[0], math.sqrt(part[1])


def _joined(parts: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """A tensor's hash and norm from its pieces' hashes and squared norms; ('-', 0.0) for none."""
    hash_ = of_pieces([hash_ for hash_, _ in parts])
    return hash_, math.sqrt(sum(square for _, square in parts))


def _hash_and_square(piece: Piece) -> tuple[str, float]:
    """Part by part, so that what is hashed is still in the cache when it is squared."""
    if isinstance(piece, torch.Tensor):
        return _of_other_kind(piece)
    if piece.nbytes < WITH_LOCK:
        return xxhash.xxh3_64_hexdigest(piece), _square(piece, np.float32)
    hasher, square = xxhash.xxh3_64(), 0.0
    for start in range(0, piece.nbytes, CACHED):
        part = piece[start : start + CACHED]
        hasher.update(part)
        square += _square(part, np.float32)
    return hasher.hexdigest(), square


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
    if len(values) < ROW:
        return float(np.dot(values, values))
    left_over = len(values) % ROW
    square = 0.0
    if left_over:
        rest, values = values[-left_over:], values[:-left_over]
        square = float(np.dot(rest, rest))
    rows = values.reshape(-1, ROW)
    return square + float(sum(np.vecdot(rows, rows).tolist()))


def _split(flat: torch.Tensor, size: int) -> list[torch.Tensor]:
    return [flat[start : start + size] for start in range(0, len(flat), size)]
