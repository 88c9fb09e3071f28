"""Ratios of what was measured in turn: the median of the pairs, and how far it can be trusted.

A ratio of two neighbours in time holds where a time doesn't: on shared machines the same build's
times drift by a quarter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SEED = 0  # the same interval of the same times, always
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """The median of the pairs' ratios, and its bootstrap 95 % interval."""

    median: float
    low: float
    high: float
    rounds: int
    pairs: int

    @property
    def width(self) -> float:
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.median:.4f} [{self.low:.4f}, {self.high:.4f}]"


def ratio(a: ArrayLike, b: ArrayLike) -> Ratio:
    """a / b, pair by pair: `a[r][s]` and `b[r][s]` are pair s of round r, measured in turn.

    The bootstrap draws rounds, and within them pairs: models that are made anew lie elsewhere in
    memory, and that alone moves a whole round by up to 1 % (2026-11-24). Raises ValueError for
    rounds of unequal lengths, for fewer than two, and for times that aren't above zero.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape or x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 1:
        raise ValueError(f"pairs of shape {x.shape} and {y.shape}; want (rounds >= 2, steps)")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("a step's time isn't a number above zero")
    ratios = x / y
    rounds, steps = ratios.shape
    rng = np.random.default_rng(SEED)
    drawn_rounds = rng.integers(rounds, size=(RESAMPLES, rounds, 1))
    drawn_steps = rng.integers(steps, size=(RESAMPLES, rounds, steps))
    medians = np.median(ratios[drawn_rounds, drawn_steps].reshape(RESAMPLES, -1), axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return Ratio(float(np.median(ratios)), float(low), float(high), rounds, ratios.size)
