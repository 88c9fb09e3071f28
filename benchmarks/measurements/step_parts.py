"""Where each loop's time goes: a step taken apart, part by part.

python -m pytest benchmarks -k parts -s
python -m pytest benchmarks -m gpu -k parts -s      on a CUDA device
python -m benchmarks.parts                          the same as a table, without pytest
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.counting import step_counts
from benchmarks.results.parts_table import footing, table
from benchmarks.timing import quiet, recipes, rounds, timed_work
from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.checkpoints import cases, named, source_of
from benchmarks.timing.measured_steps import BARE
from benchmarks.timing.parts_clock import PartsClock, clock_cost, keep_parts, wrapped
from benchmarks.timing.step_calls import BARE_PARTS, PARTS
from benchmarks.timing.turns import Participant
from reference.errors import InputError
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe

STEPS = 80  # ten times each of the eight orders of four and four again
OF_CHECKPOINT = {"embedded": STEPS, "minilm": 16}


AROUND = "around the bare step"  # all parts that the bare step doesn't have, and the rest
PLAIN = " without"  # is added to the name of a participant that has no clock on its parts
Train = Callable[[Participant], None]


@dataclass(frozen=True)
class Apart:
    """Steps by parts, by participant, in microseconds."""

    recipe: Recipe
    parts: dict[str, np.ndarray]  # (steps, parts), without what the clock cost
    clock: dict[str, np.ndarray]  # (steps,): what the clock cost
    whole: dict[str, np.ndarray]  # (steps,): the step by the turns' own clock, with that cost
    plain: dict[str, np.ndarray]  # (steps,): the same participant without a clock on its parts
    absent: list[str]  # calls that this version of a library doesn't have

    def spent(self, name: str) -> dict[str, float]:
        """Medians over the steps: each part, all around the bare step, and the whole."""
        return _by_part(self.parts[name])

    def added(self, name: str, to: str = BARE) -> dict[str, float]:
        """Medians of what each part takes longer than another participant's on the same batch."""
        return _by_part(self.parts[name] - self.parts[to])

    def left_in(self, name: str) -> float:
        """What a step takes beyond the same participant's without a clock on its parts.

        That is what the clock costs and wasn't taken off, and what two instances of a loop differ
        by: with models elsewhere in memory, by up to 200 (embedded, 2026-11-24).
        """
        return float(np.median(self.parts[name].sum(axis=1) - self.plain[name]))

    def to_json(self) -> dict[str, Any]:
        """For a run's JSON, and for `parts_table`."""
        names = [name for name in self.parts if name != BARE]
        return {
            "device": self.recipe.device,
            "steps": len(self.parts[BARE]),
            "bare_us": self.spent(BARE),
            "spent_us": {name: self.spent(name) for name in names},
            "added_us": {name: self.added(name) for name in names},
            "clock_us": {name: float(np.median(c)) for name, c in self.clock.items()},
            "clock_left_us": {name: self.left_in(name) for name in self.parts},
            "absent": self.absent,
        }


def _by_part(times: np.ndarray) -> dict[str, float]:
    medians = dict(zip(PARTS, map(float, np.median(times, axis=0)), strict=True))
    around = times[:, len(BARE_PARTS) :].sum(axis=1)
    return {
        **medians,
        AROUND: float(np.median(around)),
        "step": float(np.median(times.sum(axis=1))),
    }


def take_apart(recipe: Recipe, trains: Mapping[str, Train]) -> Apart:
    """One round of all of `trains` in turn, each with a clock on its parts and each without.

    Raises:
        TrainingFailed: two end with unequal weights, or one with weights that aren't finite.
    """
    clocks: dict[str, PartsClock] = {}

    def with_clock(name: str, train: Train) -> Train:
        def run(participant: Participant) -> None:
            participant.clock.close()
            # Made here, since a clock times the thread that makes it.
            participant.clock = clocks[name] = PartsClock(recipe.device)
            keep_parts(clocks[name])
            train(participant)

        return run

    own = recipe.num_threads, recipe.device
    participants = [Participant(n, with_clock(n, t), *own) for n, t in trains.items()]
    participants += [Participant(n + PLAIN, t, *own) for n, t in trains.items()]
    cost = clock_cost()
    with wrapped() as absent:
        quiet.take_turns_quietly(participants, recipe.max_steps)
    rounds.check_right(participants)
    parts, clock = {}, {}
    for name in trains:
        parts[name], clock[name] = _without_clock(clocks[name], cost)
    busy = {p.name: np.array([1e6 * step.busy for step in p.steps[1:]]) for p in participants}
    plain = {name: busy.pop(name + PLAIN) for name in trains}
    return Apart(recipe, parts, clock, busy, plain, absent)


def _without_clock(clock: PartsClock, cost: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds of the parts without the clock's cost, (steps, parts), and that cost, (steps,).

    The first step is left out: it holds what comes before training.
    """
    spent = np.array([step.nanoseconds for step in clock.steps[1:]], dtype=float)
    inside = np.array([step.entered for step in clock.steps[1:]]) * cost[0]
    around = np.array([step.left_for for step in clock.steps[1:]]) * cost[1]
    return (spent - inside - around) / 1e3, (inside + around).sum(axis=1) / 1e3


def measure(
    checkpoint: str, steps: int = STEPS, device: str = "cpu", data: Data | None = None
) -> Apart:
    """Take the bare step and the three loops apart.

    Args:
        checkpoint: as a recipe calls it.
        steps: of each participant; a multiple of the orders.
        device: `cpu` or `cuda`.
        data: the recipe's; loaded where it isn't given.

    Raises:
        InputError: another number of steps.
        TrainingFailed: see `take_apart`.
    """
    orders = len(balanced(2 * (1 + len(LOOPS))))
    if steps < 1 or steps % orders:
        raise InputError(f"steps: {steps} isn't a multiple of {orders}, one for each order")
    recipe = recipes.make_recipe(checkpoint, steps, device)
    data = recipes.short_evaluation(load_data(recipe) if data is None else data)
    rounds.warm_up(recipe, data)
    loops = {name: timed_work.loop(get_loop(name), recipe, data) for name in LOOPS}
    return take_apart(recipe, {BARE: timed_work.bare_step(recipe, data), **loops})


@pytest.mark.parametrize(("checkpoint", "device"), cases(OF_CHECKPOINT, slow={"minilm"}))
def test_parts(benchmark: BenchmarkFixture, checkpoint: str, device: str, tmp_path: Path) -> None:
    """`take_apart` asserts that the weights are equal, with a clock on the parts and without."""
    source = source_of(checkpoint, tmp_path)
    steps = OF_CHECKPOINT[checkpoint]
    apart = benchmark.pedantic(measure, args=(source, steps, device), rounds=1)
    result = apart.to_json()
    padding = step_counts.padding(apart.recipe, load_data(apart.recipe))
    figures = {"checkpoint": named(checkpoint, device), "steps": result["steps"], "parts": result}
    benchmark.extra_info.update({**figures, **padding, **recipes.surroundings(apart.recipe)})
    print("\n" + "\n".join([*table(result), *footing(result)]))
    for spent in result["spent_us"].values():
        assert all(spent[part] > 0 for part in ("data", "scheduler")), spent
