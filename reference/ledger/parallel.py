"""Hashing much memory on two cores: while the ledger looks at a step, the training waits.

Measured by `python -m pytest benchmarks -k observing`.

A large buffer is hashed in pieces, each by itself, and the hash of their hashes is its own: so it
is the same on however many threads.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import xxhash

PIECE = 1 << 22  # bytes
WORTH_IT = 1 << 23  # bytes, below which handing over costs more than it saves
WITH_LOCK = 1 << 18  # bytes, below which letting go of the interpreter costs more
THREADS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")

_pools: dict[int, ThreadPoolExecutor] = {}  # by process: a forked one has none of our threads


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work` of each item, in order; by two threads where there are two cores."""
    if len(items) < 2 or _cores() < THREADS:
        return [work(item) for item in items]
    pool = _pool()
    # One share is handed over, and this thread does the other.
    half = len(items) // 2
    other = pool.submit(lambda: [work(item) for item in items[half:]])
    mine = [work(item) for item in items[:half]]
    return mine + other.result()


def _pool() -> ThreadPoolExecutor:
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools[os.getpid()] = ThreadPoolExecutor(THREADS - 1, "ledger")
    return pool


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def digest(buffer: memoryview) -> str:
    """16 hex digits; lets other threads run meanwhile, which xxhash's one-shot functions don't."""
    if buffer.nbytes < WITH_LOCK:
        return xxhash.xxh3_64_hexdigest(buffer)
    found = xxhash.xxh3_64()
    found.update(buffer)
    return found.hexdigest()


def hash_buffers(buffers: Sequence[memoryview | None]) -> list[str]:
    """16 hex digits for each buffer (of single bytes), '-' for None."""
    pieces: list[tuple[int, memoryview]] = []
    for place, buffer in enumerate(buffers):
        if buffer is None:
            continue
        if buffer.nbytes <= PIECE:
            pieces.append((place, buffer))
        else:
            starts = range(0, buffer.nbytes, PIECE)
            pieces += [(place, buffer[start : start + PIECE]) for start in starts]
    digests: list[list[str]] = [[] for _ in buffers]
    shares = in_shares(pieces, [piece.nbytes for _, piece in pieces])
    for share, found in zip(shares, in_parallel(_digests, shares), strict=True):
        for (place, _), one in zip(share, found, strict=True):
            digests[place].append(one)
    return [of_pieces(found) for found in digests]


def hash_buffer(buffer: memoryview) -> str:
    """The same of one buffer, by this thread alone: for work that is itself a share."""
    starts = range(0, max(buffer.nbytes, 1), PIECE)
    return of_pieces([digest(buffer[start : start + PIECE]) for start in starts])


def in_shares(items: Sequence[Item], sizes: Sequence[int]) -> list[Sequence[Item]]:
    """Two shares of about as many bytes, in order; one where two aren't worth it."""
    total, done = sum(sizes), 0
    if total < WORTH_IT:
        return [items]
    for at, size in enumerate(sizes):
        done += size
        if 2 * done >= total:
            return [items[: at + 1], items[at + 1 :]]
    return [items]


def _digests(share: Sequence[tuple[int, memoryview]]) -> list[str]:
    return [digest(piece) for _, piece in share]


def combine(hashes: Sequence[str]) -> str:
    """One hash for a list of them, in order."""
    return xxhash.xxh3_128_hexdigest(",".join(hashes).encode())


def of_pieces(digests: list[str]) -> str:
    """The hash of a buffer from those of its pieces; '-' where there is no buffer."""
    if not digests:
        return "-"
    if len(digests) == 1:
        return digests[0]
    return xxhash.xxh3_64_hexdigest("".join(digests).encode())
