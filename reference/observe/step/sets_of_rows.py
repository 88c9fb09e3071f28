"""Where, among the passes of an evaluation, another set of rows begins.

A script evaluates validation and test with one model, or looks at a first batch before it evaluates
all; nothing tells a hook so. What tells it: a loader is begun anew, a batch comes that has come
before, or a pass follows the only one of fewer rows, which ends a set.
"""

from collections.abc import Callable

import xxhash

from reference.observe.step.content import Content
from reference.observe.step.passes_after_passes import update

MOST_PASSES = 1 << 12  # of a set whose batches are known again


class SetsOfRows:
    """Told each pass of an evaluation, in their order.

    Args:
        loaders: How many times a loader was begun by now, in this process.
        before: How many times it was before the evaluation.
    """

    def __init__(self, loaders: Callable[[], int], before: int) -> None:
        self._loaders, self._begun = loaders, before
        self._by_loader = False  # its rows come from loaders, which say where sets end
        self._size: int | None = None  # of the first pass
        self._passes: set[str] = set()  # hashes of the passes of this set
        self._known: set[str] = set()  # of those before it
        self._was_short = False
        self._is_even = True  # but for passes of fewer rows, all are of the first one's size
        self._after_short = 0  # sets that begin for no other reason
        self.again = False  # whether the last set began with a pass that had come before

    def begins_one(self, content: Content) -> bool:
        """Whether this pass is the first of a set."""
        rows = 0 if content.rows is None else content.rows.count
        loaders, is_first = self._loaders(), self._size is None
        anew = loaders != self._begun
        self._by_loader = self._by_loader or anew
        self._size = rows if self._size is None else self._size
        digest = xxhash.xxh3_64()
        update(digest, content, outputs=False)
        hashed = digest.hexdigest() if content.inputs else ""
        came = hashed in self._passes
        after_short = self._was_short and not (anew or came or is_first or self._by_loader)
        self._after_short += after_short
        begins = is_first or anew or came or after_short
        if begins:
            self._known |= self._passes
            self._passes = set()
            self.again = hashed in self._known
        if hashed and len(self._passes) < MOST_PASSES:
            self._passes.add(hashed)
        self._begun = loaders
        self._is_even = self._is_even and rows <= self._size
        self._was_short = rows < self._size
        return begins

    def are_known(self) -> bool:
        """Whether the sets are what they seem.

        A pass of fewer rows than the first is the last one of a set, if all others are of one
        size. Where more such passes are gone on from, the batches are of several sizes, and a part
        of them is no set of its own.
        """
        return self._after_short == 0 or (self._after_short == 1 and self._is_even)
