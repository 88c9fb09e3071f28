"""The counts that bounds are about, made now: the embedded run's batches, one step of each loop."""

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
    """By the bounds' names. What needs a device that `recipe` isn't on is left out."""
    bounds = [b for b in bounds if b.device == recipe.device]
    loops = dict.fromkeys(b.loop for b in bounds if b.figure not in BATCHES)
    of_loop = _steps(loops, recipe, data)
    if any(b.figure in BATCHES for b in bounds):
        epoch = -(-len(data.train) // recipe.train_batch_size)
        whole = make_recipe(recipe.checkpoint, epoch - 1, recipe.device)
        of_loop["all"] = step_counts.tokens(whole, data)
    return {b.name: of_loop[b.loop][b.figure] for b in bounds if b.figure in of_loop[b.loop]}


def count_all(recipe: Recipe, data: Data) -> dict[str, int]:
    """All that is counted of one step, of the bare step and of each loop, by the bounds' names."""
    return {
        Exact(loop, figure, number, "", recipe.device).name: number
        for loop, figures in _steps(("bare", *LOOPS), recipe, data).items()
        for figure, number in figures.items()
    }


def _steps(loops: Iterable[str], recipe: Recipe, data: Data) -> dict[str, dict[str, int]]:
    """One step of each; on a GPU also how many kernels more than the bare step it launches.

    How many the bare step is made of is the choice of the GPU's libraries.
    """
    short = make_recipe(recipe.checkpoint, step_counts.BEFORE, recipe.device)

    def step(loop: str) -> dict[str, int]:
        return step_counts.count_step(trained(loop, short, data), recipe.device).to_json()

    if recipe.device != "cuda":
        return {loop: step(loop) for loop in loops}
    found = {loop: step(loop) for loop in dict.fromkeys(("bare", *loops))}
    for loop in found.keys() - {"bare"}:
        launched = found[loop]["kernel_launches"] - found["bare"]["kernel_launches"]
        found[loop]["added_launches"] = launched
    return found


def trained(loop: str, recipe: Recipe, data: Data) -> Callable[[], Any]:
    """A call that trains `loop`; the bare step is a participant, and takes all turns itself."""
    if loop == "bare":
        return lambda: take_turns(
            # By a CPU's clock: a GPU's would wait for that, and be counted.
            [Participant("bare", timed_work.bare(recipe, data), recipe.num_threads)],
            recipe.max_steps,
        )
    return partial(get_loop(loop), recipe, data)
