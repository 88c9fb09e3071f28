"""The counts that bounds are about: of an epoch's batches, and of one step of each loop."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from benchmarks.bounds.read import BATCHES, Exact
from benchmarks.counting import step_counts
from benchmarks.timing import timed_work
from benchmarks.timing.recipes import make_recipe
from benchmarks.timing.turns import Participant, take_turns
from reference.lesson.data.pipeline import Data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe


def count(bounds: Iterable[Exact], recipe: Recipe, data: Data) -> dict[str, int]:
    """Count what these bounds are about.

    Args:
        bounds: those of a device that `recipe` isn't on are left out.
        recipe: checkpoint and device.
        data: the recipe's.

    Returns:
        Counts by the bounds' names.
    """
    bounds = [b for b in bounds if b.device == recipe.device]
    loops = dict.fromkeys(b.loop for b in bounds if b.figure not in BATCHES)
    of_loop = _steps(loops, recipe, data)
    if any(b.figure in BATCHES for b in bounds):
        epoch = recipe.batches_per_epoch(len(data.train))
        whole = make_recipe(recipe.checkpoint, epoch - 1, recipe.device)
        of_loop["all"] = step_counts.tokens(whole, data)
    return {b.name: of_loop[b.loop][b.figure] for b in bounds if b.figure in of_loop[b.loop]}


def count_all(recipe: Recipe, data: Data) -> dict[str, int]:
    """All that is counted of one bare step and of one step of each loop, by bounds' names."""
    return {
        Exact(loop, figure, number, "", recipe.device).name: number
        for loop, figures in _steps(("bare", *LOOPS), recipe, data).items()
        for figure, number in figures.items()
    }


def _steps(loops: Iterable[str], recipe: Recipe, data: Data) -> dict[str, dict[str, int]]:
    """One step of each; on a GPU with the kernels that a loop launches beyond the bare step's.

    How many kernels a bare step is made of is decided by the GPU's libraries.
    """
    short = make_recipe(recipe.checkpoint, step_counts.BEFORE, recipe.device)

    def step(loop: str) -> dict[str, int]:
        return step_counts.count_step(trained(loop, short, data), recipe.device).to_json()

    if recipe.device != "cuda":
        return {loop: step(loop) for loop in loops}
    counts = {loop: step(loop) for loop in dict.fromkeys(("bare", *loops))}
    bare = counts["bare"]["kernel_launches"]
    for loop in counts.keys() - {"bare"}:
        counts[loop]["added_launches"] = counts[loop]["kernel_launches"] - bare
    return counts


def trained(loop: str, recipe: Recipe, data: Data) -> Callable[[], Any]:
    """A call that trains a loop. The bare step is a participant, alone in taking turns."""
    if loop == "bare":
        return lambda: take_turns(
            # By a CPU's clock: a GPU's waits for the device, and its waits would be counted.
            [Participant("bare", timed_work.bare_step(recipe, data), recipe.num_threads)],
            recipe.max_steps,
        )
    return partial(get_loop(loop), recipe, data)
