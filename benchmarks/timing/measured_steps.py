"""Steps that were taken in turn, and the ratios of their times.

What a loop costs is split into links, so that no bound depends on what a processor is fast at:

    data      the pipeline by the bare step
    batches   the pipeline by plain batches: Python's work by Python's work
    loop      the loop by the bare step and the pipeline together: what the loop adds by itself
    step      the loop by the bare step
"""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.paired_ratio import Ratio, ratio
from reference.lesson.recipe import Recipe

BARE, AGAIN, PIPELINE, PLAIN = "bare", "bare again", "pipeline", "plain batches"
NOISE = 0.01  # an A/A interval wider than this asks for more rounds
LINKS = ("data", "batches", "loop", "step")
OF_ALL = ("data", "batches")  # the links that all loops share


@dataclass
class Measured:
    """Rounds of steps taken in turn, by participant: `times[name][round][step]`, in seconds."""

    recipe: Recipe
    times: dict[str, list[list[float]]] = field(default_factory=dict)  # `Step.busy`
    walls: dict[str, list[list[float]]] = field(default_factory=dict)  # `Step.wall`

    @property
    def rounds(self) -> int:
        """How many rounds were measured."""
        return len(self.times.get(BARE, []))

    def noise(self) -> Ratio:
        """The A/A: one bare step by another one, which is 1 but for the machine's noise."""
        return ratio(self.cycles(AGAIN), self.cycles(BARE))

    def ratio(self, loop: str, link: str) -> Ratio:
        """A link's ratio.

        Args:
            loop: one of the loops; of the link `data` it isn't looked at.
            link: `data`, `loop` or `step`.
        """
        below = self.cycles(BARE)
        if link == "data":
            return ratio(self.cycles(PIPELINE), below)
        if link == "loop":
            below = below + self.cycles(PIPELINE)
        return ratio(self.cycles(loop), below)

    def cycles(self, name: str) -> np.ndarray:
        """Seconds of whole cycles of orders, as an array of shape (rounds, cycles).

        In a cycle each participant takes each place once. A step's place in the order moves its
        time by several percent: over 20 rounds the A/A of whole cycles was 0.7 % wide, and that of
        single steps 1.0 % (2026-11-24).
        """
        times = np.asarray(self.times[name])
        places = len(balanced(len(self.times)))
        cycles: np.ndarray = times.reshape(len(times), -1, places).sum(axis=2)
        return cycles
