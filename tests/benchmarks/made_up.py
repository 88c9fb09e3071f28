"""Ratios that were not measured."""

from benchmarks.timing.paired_ratio import Ratio


def around(middle: float, half: float = 0.005) -> Ratio:
    return Ratio(middle, middle - half, middle + half, 24, 1008)
