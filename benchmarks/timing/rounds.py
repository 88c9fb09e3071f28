"""All loops, the bare step and the pipeline, measured in turn; and first whether they are right.

What a loop costs is told in two links, so that a bound on the loop itself needn't know how fast a
machine collates: `data` is the pipeline by the bare step, `loop` the loop by bare step and
pipeline together, and `step` the loop by the bare step alone. Nor need the bound on the pipeline
know how fast a machine multiplies matrices: `batches` is the pipeline by plain batches.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from benchmarks.timing import timed_work
from benchmarks.timing.paired_ratio import Ratio, ratio
from benchmarks.timing.quiet import take_turns_unheard
from benchmarks.timing.recipes import short_evaluation
from benchmarks.timing.turns import Participant, balanced
from reference.errors import InputError, TrainingFailed
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe

BARE, AGAIN, PIPELINE, PLAIN = "bare", "bare again", "pipeline", "plain batches"
NOISE = 0.01  # an A/A interval wider than this asks for more rounds
LINKS = ("data", "batches", "loop", "step")
OF_ALL = ("data", "batches")  # what all loops share
BATCHES, BATCH_ROUNDS = 100, 26  # so many in a round, and so many rounds, take seconds
AfterRound = Callable[[int, int], None]  # is told how many are done, and of how many


@dataclass
class Measured:
    """Rounds of steps taken in turn. `times[name][round][step]` is in seconds, by `clock`."""

    recipe: Recipe
    times: dict[str, list[list[float]]] = field(default_factory=dict)
    walls: dict[str, list[list[float]]] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        return len(self.times.get(BARE, []))

    def noise(self) -> Ratio:
        """A/A: the bare step by itself, made twice."""
        return ratio(self._cycles(AGAIN), self._cycles(BARE))

    def ratio(self, loop: str, link: str) -> Ratio:
        """What a loop adds in a link; `data` is the same for all loops."""
        below = self._cycles(BARE)
        if link == "data":
            return ratio(self._cycles(PIPELINE), below)
        if link == "loop":
            below = below + self._cycles(PIPELINE)
        return ratio(self._cycles(loop), below)

    def _cycles(self, name: str) -> np.ndarray:
        """(rounds, cycles): the time of one cycle of orders, in which all take each place once.

        Where one stands in the order moves its step by several percent. Over 20 rounds the A/A of
        whole cycles was 0.7 % wide, and of single steps 1.0 % (2026-11-24).
        """
        times = np.asarray(self.times[name])
        places = len(balanced(len(self.times)))
        cycles: np.ndarray = times.reshape(len(times), -1, places).sum(axis=2)
        return cycles


def measure(
    recipe: Recipe,
    *,
    rounds: int,
    most_rounds: int,
    loops: Sequence[str] = LOOPS,
    most_seconds: float = math.inf,
    fewest: int | None = None,
    last_seconds: float = math.inf,
    data: Data | None = None,
    progress: AfterRound = lambda done, total: None,
) -> Measured:
    """Rounds of all in turn, and more while the A/A is too wide, up to `most_rounds`.

    None of those further ones is begun after `most_seconds`, and none at all after `last_seconds`
    where there are `fewest`: their intervals are as much wider. Raises TrainingFailed where two end
    with unequal weights, or with weights that aren't finite.
    """
    steps = recipe.max_steps - 1
    places = len(balanced(len(loops) + 3))
    if steps % places:
        raise InputError(f"steps: {steps} isn't a multiple of {places}, one for each order")
    data = short_evaluation(load_data(recipe) if data is None else data)
    measured = Measured(recipe)
    warm_up(recipe, data, _of_a_round(loops))
    started = time.monotonic()
    while True:
        add_round(measured, recipe, data, loops)
        seconds = time.monotonic() - started
        too_late = fewest is not None and seconds > last_seconds
        needed = min(rounds, max(fewest or 0, measured.rounds)) if too_late else rounds
        most = needed if seconds > most_seconds or too_late else most_rounds
        if _enough(measured, needed, most, progress):
            return measured


def measure_pair(
    recipe: Recipe,
    loop: str,
    *,
    rounds: int,
    most_rounds: int,
    data: Data | None = None,
    progress: AfterRound = lambda done, total: None,
) -> tuple[Measured, Measured]:
    """The bare step and one loop, nobody else, in ABBA; and the bare step against itself likewise.

    With two models in turn a step finds more of itself in the caches than with six. Rounds of both
    pairs alternate, more while the A/A is too wide, up to `most_rounds`. Raises as `measure`.
    """
    steps = recipe.max_steps - 1
    if steps < 2 or steps % 2:
        raise InputError(f"steps: {steps} isn't a multiple of 2, one for each order")
    data = short_evaluation(load_data(recipe) if data is None else data)
    with_loop, with_itself = Measured(recipe), Measured(recipe)
    while True:
        add_turns(with_loop, recipe, data, (BARE, loop))
        add_turns(with_itself, recipe, data, (BARE, AGAIN))
        if _enough(with_itself, rounds, most_rounds, progress):
            return with_loop, with_itself


def _enough(measured: Measured, rounds: int, most_rounds: int, progress: AfterRound) -> bool:
    """Whether these are rounds enough: so many, and more where the A/A is wide."""
    done = measured.rounds
    if done < rounds:
        progress(done, rounds)
        return False
    enough = done >= most_rounds or measured.noise().width <= NOISE
    progress(done, done if enough else most_rounds)
    return enough


def measure_batches(recipe: Recipe, data: Data, rounds: int = BATCH_ROUNDS) -> Ratio:
    """The pipeline by plain batches, in ABBA. TrainingFailed where they give unequal batches."""
    recipe = replace(recipe, max_steps=BATCHES + 1)  # the first isn't timed
    pairs = zip(timed_work.fetched(recipe, data), timed_work.plainly(recipe, data), strict=True)
    for number, (ours, plain) in enumerate(pairs, 1):
        if set(ours) != set(plain) or not all(torch.equal(ours[k], plain[k]) for k in ours):
            raise TrainingFailed(f"batch {number}: the pipeline's isn't the plain one")
    measured = Measured(recipe)
    for _ in range(rounds):
        add_turns(measured, recipe, data, (PIPELINE, PLAIN))
    return ratio(measured._cycles(PIPELINE), measured._cycles(PLAIN))


def warm_up(recipe: Recipe, data: Data, names: Sequence[str] = (BARE,)) -> None:
    """A GPU's kernels are loaded and its memory is set aside at a shape's first use."""
    if recipe.device == "cuda":
        add_turns(Measured(recipe), recipe, data, names)


def add_round(measured: Measured, recipe: Recipe, data: Data, loops: Sequence[str]) -> None:
    """One round: all are made anew, train, and must end with the same weights."""
    add_turns(measured, recipe, data, _of_a_round(loops))


def _of_a_round(loops: Sequence[str]) -> Sequence[str]:
    return (BARE, AGAIN, PIPELINE, *loops)


def add_turns(measured: Measured, recipe: Recipe, data: Data, names: Sequence[str]) -> None:
    """One round of just these: loops by their names, `BARE`, `AGAIN`, `PIPELINE` and `PLAIN`."""
    participants = [
        Participant(name, _train(name, recipe, data), recipe.num_threads, recipe.device)
        for name in names
    ]
    take_turns_unheard(participants, recipe.max_steps)
    check_right(participants)
    for participant in participants:
        timed = participant.steps[1:]  # the first holds what comes before training
        measured.times.setdefault(participant.name, []).append([s.busy for s in timed])
        measured.walls.setdefault(participant.name, []).append([s.wall for s in timed])


def _train(name: str, recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    if name in (BARE, AGAIN):
        return timed_work.bare(recipe, data)
    if name == PIPELINE:
        return timed_work.pipeline(recipe, data)
    if name == PLAIN:
        return timed_work.plain_batches(recipe, data)
    return timed_work.loop(get_loop(name), recipe, data)


def check_right(participants: Sequence[Participant]) -> None:
    """Equal first, then timed: one set of weights, all finite."""
    trained = [p for p in participants if p.weights]
    for participant in trained:
        if participant.weights != trained[0].weights:
            raise TrainingFailed(
                f"{participant.name} and {trained[0].name} end with unequal weights: what was "
                "timed isn't the same run"
            )
        if not math.isfinite(participant.norm):
            raise TrainingFailed(f"{participant.name} ends with weights that aren't finite")
