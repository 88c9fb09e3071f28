"""Pairs of small trainings that look alike from outside, and end in something different or don't.

Each is a function of a flag: which of the two trainings it makes. It returns what the training
leaves (weights, what its evaluations gave), by which the verdict is judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Training = Callable[[bool], dict[str, Any]]


@dataclass(frozen=True)
class Pair:
    """Two trainings, and what `diff` must say of their ledgers.

    Attributes:
        train: Makes the first, or for True the second; returns what it leaves.
        link: In which the two part; empty where they are the same run, and `incomparable` where
            nothing can be said of that.
        words: What the verdict names, in its cause or its notes.
        uncalled: Whether models that nobody calls are looked for, which takes a while.
        unseen: Whether some of it can't be recorded, so that nothing is `identical`.
    """

    train: Training
    link: str
    words: tuple[str, ...]
    uncalled: bool
    unseen: bool


PAIRS: dict[str, Pair] = {}


def pair(
    link: str = "", *words: str, uncalled: bool = False, unseen: bool = False
) -> Callable[[Training], Training]:
    """Puts a training among the pairs, under its function's name."""

    def put(train: Training) -> Training:
        assert train.__name__ not in PAIRS, train.__name__
        PAIRS[train.__name__] = Pair(train, link, words, uncalled, unseen)
        return train

    return put
