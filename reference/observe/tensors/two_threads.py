"""Hashing much memory on two cores: while the ledger looks at a step, the training waits.

Or it doesn't (`overlapped_gradients.py`), where nothing can change that memory for a while.
What it saves: `python -m pytest benchmarks -k observing`.

A large buffer is hashed in pieces, each by itself, and the hash of their hashes is its own: so it
is the same on however many threads.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

import xxhash

from reference.ledger.marks import ABSENT
from reference.process.cores import usable_cores

PIECE = 1 << 22  # bytes
WORTH_IT = 1 << 23  # bytes, below which handing over costs more than it saves
WITH_LOCK = 1 << 18  # bytes, below which letting go of the interpreter costs more
THREADS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")

_pools: dict[int, ThreadPoolExecutor] = {}  # by process: a forked one has none of our threads


class SharedWork(Generic[Item, Result]):
    """The same work for each of several items, by two threads where that is worth it.

    The other thread begins at once, with the first item; who asks for the results does the last.
    Where it isn't worth it, all is done at once.

    Args:
        work: what to do with an item.
        items: in any number.
        size: of all items, in bytes.
        within: gives a context in which either thread works.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        size: int,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._work, self._within = work, within
        self._other: Future[None] | None = None
        if len(items) > 1 and size >= WORTH_IT and usable_cores() >= THREADS:
            self._left = deque(enumerate(items))
            self._done: list[Result | None] = [None] * len(items)
            self._other = _pool().submit(self._do, self._left.popleft)
        else:
            with within():
                self._done = [work(item) for item in items]

    def results(self) -> list[Result]:
        """In the items' order; waits for the other thread."""
        if self._other is not None:
            self._do(self._left.pop)
            if not self._other.cancel():
                self._other.result()
        return self._done  # type: ignore[return-value]  # none is left

    def _do(self, take: Callable[[], tuple[int, Item]]) -> None:
        with self._within():
            while True:
                try:
                    place, item = take()
                except IndexError:
                    return  # there is no other
                self._done[place] = self._work(item)


def _pool() -> ThreadPoolExecutor:
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools[os.getpid()] = ThreadPoolExecutor(THREADS - 1, "ledger")
    return pool


def digest(buffer: memoryview) -> str:
    """16 hex digits; lets other threads run meanwhile, which xxhash's one-shot functions don't."""
    if buffer.nbytes < WITH_LOCK:
        return xxhash.xxh3_64_hexdigest(buffer)
    hasher = xxhash.xxh3_64()
    hasher.update(buffer)
    return hasher.hexdigest()


def hash_buffers(buffers: Sequence[memoryview | None]) -> list[str]:
    """16 hex digits for each buffer (of single bytes), '-' for None."""
    sizes = [0 if buffer is None else buffer.nbytes for buffer in buffers]
    if sum(sizes) < WORTH_IT and max(sizes, default=0) <= PIECE:
        return [ABSENT if buffer is None else digest(buffer) for buffer in buffers]
    pieces: list[tuple[int, memoryview]] = []
    for place, buffer in enumerate(buffers):
        if buffer is None:
            continue
        if buffer.nbytes <= PIECE:
            pieces.append((place, buffer))
        else:
            starts = range(0, buffer.nbytes, PIECE)
            pieces += [(place, buffer[start : start + PIECE]) for start in starts]
    shared = SharedWork(digest, [piece for _, piece in pieces], sum(p.nbytes for _, p in pieces))
    digests: list[list[str]] = [[] for _ in buffers]
    for (place, _), hashed in zip(pieces, shared.results(), strict=True):
        digests[place].append(hashed)
    return [of_pieces(each) for each in digests]


def hash_buffer(buffer: memoryview) -> str:
    """As `hash_buffers` does one, by this thread alone: for work that is itself shared."""
    starts = range(0, max(buffer.nbytes, 1), PIECE)
    return of_pieces([digest(buffer[start : start + PIECE]) for start in starts])


def of_pieces(digests: list[str]) -> str:
    """The hash of a buffer from those of its pieces; '-' where there is no buffer."""
    if not digests:
        return ABSENT
    if len(digests) == 1:
        return digests[0]
    return xxhash.xxh3_64_hexdigest("".join(digests).encode())
