"""A step taken apart: what each of its parts costs in each loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.timing import quiet, recipes, rounds, timed_work
from benchmarks.timing.parts_clock import (
    BARE_PARTS,
    PARTS,
    PartsClock,
    clock_cost,
    keep_parts,
    wrapped,
)
from benchmarks.timing.rounds import BARE
from benchmarks.timing.turns import Participant, balanced
from reference.errors import InputError
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe

STEPS = 80  # ten times each of the eight orders of four and four again


AROUND = "around the bare step"  # all parts that the bare step doesn't have, and the rest


PLAIN = " without"  # a participant's name without a clock on its parts


Train = Callable[[Participant], None]


@dataclass(frozen=True)
class Apart:
    """Steps by parts. `parts[name]` is (steps, parts) in microseconds, the clock's cost off."""

    recipe: Recipe
    parts: dict[str, np.ndarray]
    clock: dict[str, np.ndarray]  # (steps,): what the clock cost, and was taken off
    whole: dict[str, np.ndarray]  # (steps,): the step by the turns' own clock, with that cost
    plain: dict[str, np.ndarray]  # (steps,): the same participant's without a clock on its parts
    absent: list[str]  # calls that this version of a library doesn't have

    def spent(self, name: str) -> dict[str, float]:
        """Microseconds a step in each part, and in the whole."""
        return _by_part(self.parts[name])

    def added(self, name: str, to: str = BARE) -> dict[str, float]:
        """Microseconds that its part takes longer than another's on the same batch."""
        return _by_part(self.parts[name] - self.parts[to])

    def left_in(self, name: str) -> float:
        """Microseconds a step beyond the same participant's without a clock on its parts.

        What the clock costs and wasn't taken off, and what two makings of one loop differ by: as
        models lay elsewhere in memory it moved by 200 (embedded, 2026-11-24).
        """
        return float(np.median(self.parts[name].sum(axis=1) - self.plain[name]))

    def to_json(self) -> dict[str, Any]:
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

    Raises TrainingFailed where two end with unequal weights, or with weights that aren't finite.
    """
    clocks: dict[str, PartsClock] = {}

    def with_clock(name: str, train: Train) -> Train:
        def run(participant: Participant) -> None:
            participant.clock.close()
            # Here: a clock is its thread's.
            participant.clock = clocks[name] = PartsClock(recipe.device)
            keep_parts(clocks[name])
            train(participant)

        return run

    own = recipe.num_threads, recipe.device
    participants = [Participant(n, with_clock(n, t), *own) for n, t in trains.items()]
    participants += [Participant(n + PLAIN, t, *own) for n, t in trains.items()]
    cost = clock_cost()
    with wrapped() as absent:
        quiet.take_turns_unheard(participants, recipe.max_steps)
    rounds.check_right(participants)
    parts, clock = {}, {}
    for name in trains:
        parts[name], clock[name] = _without_clock(clocks[name], cost)
    busy = {p.name: np.array([1e6 * step.busy for step in p.steps[1:]]) for p in participants}
    plain = {name: busy.pop(name + PLAIN) for name in trains}
    return Apart(recipe, parts, clock, busy, plain, absent)


def _without_clock(clock: PartsClock, cost: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(steps, parts) and (steps,) in microseconds: parts less the clock's cost, and that cost.

    The first step is left out: it holds what comes before training.
    """
    spent = np.array([step.nanoseconds for step in clock.steps[1:]], dtype=float)
    inside = np.array([step.entered for step in clock.steps[1:]]) * cost[0]
    around = np.array([step.left_for for step in clock.steps[1:]]) * cost[1]
    return (spent - inside - around) / 1e3, (inside + around).sum(axis=1) / 1e3


def measure(
    checkpoint: str, steps: int = STEPS, device: str = "cpu", data: Data | None = None
) -> Apart:
    """The bare step and the three loops of a checkpoint, taken apart on a device."""
    orders = len(balanced(2 * (1 + len(LOOPS))))
    if steps < 1 or steps % orders:
        raise InputError(f"steps: {steps} isn't a multiple of {orders}, one for each order")
    recipe = recipes.make_recipe(checkpoint, steps, device)
    data = recipes.short_evaluation(load_data(recipe) if data is None else data)
    rounds.warm_up(recipe, data)
    loops = {name: timed_work.loop(get_loop(name), recipe, data) for name in LOOPS}
    return take_apart(recipe, {BARE: timed_work.bare(recipe, data), **loops})


def table(result: Mapping[str, Any]) -> list[str]:
    """What each loop adds, part by part, as Markdown; of `Apart.to_json()`."""
    names = list(result["added_us"])
    bare_us = result["bare_us"]
    lines = [
        f"| microseconds a step | bare step | {' | '.join(f'{n} adds' for n in names)} |",
        f"| --- | --- |{' --- |' * len(names)}",
    ]
    for part in bare_us:
        has = bare_us[part] > 0
        if not has and not any(result["spent_us"][name][part] for name in names):
            continue  # nobody waits for a GPU on a CPU
        cells = [f"{bare_us[part]:.0f}" if has else ""]
        for name in names:
            if not has and result["spent_us"][name][part] == 0:
                cells.append("")
                continue
            added = result["added_us"][name][part]
            cells.append(f"{added:+.0f} ({added / bare_us['step']:+.2%})")
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return lines


def footing(result: Mapping[str, Any]) -> list[str]:
    """How far the table can be trusted: the clock, and what it found no name for."""
    lines = []
    for name in result["spent_us"]:
        lines.append(
            f"{name}: {result['clock_us'][name]:.0f} us a step of the clock's own were taken off, "
            f"which leaves {result['clock_left_us'][name]:+.0f} to the step without such a clock"
        )
    for name in result["absent"]:
        lines.append(f"{name} isn't there in this version: its time is the rest's")
    return lines
