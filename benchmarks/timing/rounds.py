"""Rounds of steps in turn: as many as the noise asks for, and only of what ends equal.

In a round all participants are made anew, take their steps in turn, and must end with equal and
finite weights. Else nothing of it counts.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from benchmarks.timing import timed_work
from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.measured_steps import AGAIN, BARE, NOISE, PIPELINE, PLAIN, Measured
from benchmarks.timing.paired_ratio import Ratio, ratio
from benchmarks.timing.progress import AfterRound
from benchmarks.timing.quiet import take_turns_quietly
from benchmarks.timing.recipes import short_evaluation
from benchmarks.timing.turns import Participant
from reference.errors import InputError, NotFinite, TrainingFailed
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe

BATCHES, BATCH_ROUNDS = 100, 26  # of plain batches: in a round, and rounds; together seconds


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
    """Measure the loops, the bare step (twice) and the pipeline in turn.

    Args:
        recipe: `max_steps` is one more than the timed steps, which fill whole cycles of orders.
        rounds: at least so many.
        most_rounds: up to so many, while the A/A is wider than `NOISE`.
        loops: their names.
        most_seconds: after these, no round beyond `rounds` is begun.
        fewest: after `last_seconds`, so many rounds are enough (their intervals are wider).
        last_seconds: see `fewest`.
        data: the recipe's data; loaded where it isn't given.
        progress: called after each round.

    Raises:
        InputError: the steps don't fill whole cycles.
        TrainingFailed: two end with unequal weights, or one with weights that aren't finite.
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
    """Measure one loop beside the bare step in ABBA, and the bare step beside itself likewise.

    With two models in turn a step finds more of itself in the caches than with six. Rounds of both
    pairs alternate. Arguments and errors are those of `measure`; the steps are a multiple of 2.

    Returns:
        The loop with the bare step, and the bare step with itself (the A/A).
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
    """Whether there are `rounds`, and either a narrow A/A or `most_rounds`."""
    done = measured.rounds
    if done < rounds:
        progress(done, rounds)
        return False
    enough = done >= most_rounds or measured.noise().width <= NOISE
    progress(done, done if enough else most_rounds)
    return enough


def measure_batches(recipe: Recipe, data: Data, rounds: int = BATCH_ROUNDS) -> Ratio:
    """The link `batches`: the pipeline by plain batches, in ABBA.

    Raises:
        TrainingFailed: the two give unequal batches.
    """
    recipe = replace(recipe, max_steps=BATCHES + 1)  # the first isn't timed
    pipeline = timed_work.pipeline_batches(recipe, data)
    plain = timed_work.batches_of_lists(recipe, data)
    for number, (a, b) in enumerate(zip(pipeline, plain, strict=True), 1):
        if set(a) != set(b) or not all(torch.equal(a[name], b[name]) for name in a):
            raise TrainingFailed(f"batch {number}: the pipeline's isn't the plain one")
    measured = Measured(recipe)
    for _ in range(rounds):
        add_turns(measured, recipe, data, (PIPELINE, PLAIN))
    return ratio(measured.cycles(PIPELINE), measured.cycles(PLAIN))


def warm_up(recipe: Recipe, data: Data, names: Sequence[str] = (BARE,)) -> None:
    """One round that isn't kept: a GPU loads its kernels and sets memory aside at first use."""
    if recipe.device == "cuda":
        add_turns(Measured(recipe), recipe, data, names)


def add_round(measured: Measured, recipe: Recipe, data: Data, loops: Sequence[str]) -> None:
    """Add a round of the bare step (twice), the pipeline and these loops."""
    add_turns(measured, recipe, data, _of_a_round(loops))


def _of_a_round(loops: Sequence[str]) -> Sequence[str]:
    return (BARE, AGAIN, PIPELINE, *loops)


def add_turns(measured: Measured, recipe: Recipe, data: Data, names: Sequence[str]) -> None:
    """Add a round of these participants: loops, `BARE`, `AGAIN`, `PIPELINE` or `PLAIN`.

    Raises:
        TrainingFailed: see `check_right`.
    """
    participants = [
        Participant(name, _train(name, recipe, data), recipe.num_threads, recipe.device)
        for name in names
    ]
    take_turns_quietly(participants, recipe.max_steps)
    check_right(participants)
    for participant in participants:
        timed = participant.steps[1:]  # the first holds what comes before training
        measured.times.setdefault(participant.name, []).append([s.busy for s in timed])
        measured.walls.setdefault(participant.name, []).append([s.wall for s in timed])


def _train(name: str, recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    if name in (BARE, AGAIN):
        return timed_work.bare_step(recipe, data)
    if name == PIPELINE:
        return timed_work.pipeline(recipe, data)
    if name == PLAIN:
        return timed_work.plain_batches(recipe, data)
    return timed_work.loop(get_loop(name), recipe, data)


def check_right(participants: Sequence[Participant]) -> None:
    """Equal first, then timed.

    Raises:
        TrainingFailed: two end with unequal weights, or one with weights that aren't finite.
    """
    trained = [p for p in participants if p.weights]
    for participant in trained:
        if participant.weights != trained[0].weights:
            raise TrainingFailed(
                f"{participant.name} and {trained[0].name} end with unequal weights: two "
                "different runs were timed"
            )
        if not math.isfinite(participant.norm):
            raise NotFinite(f"{participant.name} ends with weights that aren't finite")
