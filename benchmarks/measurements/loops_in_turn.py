"""One measurement of all loops, the bare step and the pipeline in turn, and what it told.

    python -m pytest benchmarks -k in_turn -s

On a CUDA device the same, between two CUDA events, with the device idle before and after, and with
deterministic algorithms on, as all runs have them.
"""

from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

import torch

from benchmarks.bounds.judge import Outcome, judge, noise_line
from benchmarks.bounds.read import Bounds, read_bounds
from benchmarks.counting import step_counts
from benchmarks.counting.counts_of_bounds import count, count_all
from benchmarks.timing import recipes, rounds
from benchmarks.timing.checkpoints import named
from benchmarks.timing.machine_peak import matrix_product_peak, operations_a_step
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.peak_memory import forget_peak, peak_bytes
from benchmarks.timing.rounds import PIPELINE, Measured
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe


@dataclass(frozen=True)
class Size:
    """Steps in a round, each of the six orders equally often; rounds, and most where it's noisy."""

    steps: int
    rounds: int
    most: int


# On a CPU a round of minilm takes 18 s; BERT-base takes minutes, and 15 GB for its five models.
SIZES = {
    "cpu": {"embedded": Size(42, 8, 16), "minilm": Size(6, 4, 6), "bert-base": Size(6, 2, 3)},
    "cuda": {"embedded": Size(42, 8, 10), "minilm": Size(24, 3, 4), "bert-base": Size(18, 2, 3)},
}
CHECKPOINTS = tuple(SIZES["cpu"])


@dataclass
class InTurn:
    """What was measured of a checkpoint on a device, with equal weights at its end."""

    checkpoint: str  # its name, with the device's where that isn't the CPU
    recipe: Recipe
    data: Data
    run: Measured
    ratios: dict[str, Ratio]
    counts: dict[str, int]
    outcome: Outcome | None  # where bounds are held here
    peak_bytes: int  # of the process, with all of them in turn
    peak_device_bytes: int | None  # likewise of the GPU, if any

    @property
    def steps(self) -> int:
        """Of each, over all rounds."""
        return self.run.rounds * (self.recipe.max_steps - 1)

    def seconds(self, name: str) -> list[float]:
        """Each step of one participant."""
        return [step for one in self.run.times[name] for step in one]

    def told(self) -> list[str]:
        """In lines: how noisy the machine was, what has a bound, and the other figures."""
        outcome = self.outcome or Outcome([noise_line(self.run.noise())])
        ratios = {n: r for n, r in self.ratios.items() if n not in outcome.ratios}
        counts = {n: c for n, c in self.counts.items() if n not in outcome.counts}
        lines = [*outcome.lines, *(f"{name}: {ratio}" for name, ratio in ratios.items())]
        return [*lines, *(f"{name}: {number:,}" for name, number in counts.items())]

    def figures(self) -> dict[str, Any]:
        """For `extra_info`: ratios, counts, times, and what the machine can do at best."""
        names = list(self.run.times)
        peak = matrix_product_peak(self.recipe)
        operations = operations_a_step(self.recipe, self.data)
        by_peak = {n: operations / mean(self.seconds(n)) / peak for n in names if n != PIPELINE}
        return {
            "ratios": {name: asdict(ratio) for name, ratio in self.ratios.items()},
            "noise": asdict(self.run.noise()),
            "counts": self.counts,
            "step_ms": {name: 1000 * median(self.seconds(name)) for name in names},
            "matrix_product_peak": peak,
            "operations_a_step": operations,
            "share_of_peak": by_peak,
        }


def measure_in_turn(checkpoint: str, source: str, device: str) -> InTurn:
    """Count, measure, and hold what has bounds here."""
    forget_peak()
    size = SIZES[device][checkpoint]
    recipe = recipes.make_recipe(source, size.steps, device)
    data = recipes.short_evaluation(load_data(recipe))
    # Larger models take too few steps here to be held: `python -m benchmarks.pair` does that.
    held = checkpoint == "embedded"
    bounds = read_bounds()
    exacts = tuple(b for b in bounds.exact if held and b.device == device)
    counts = count(exacts, recipe, data) if device == "cpu" else count_all(recipe, data)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    run = rounds.measure(recipe, rounds=size.rounds, most_rounds=size.most, data=data)
    peak = peak_bytes()
    on_device = torch.cuda.max_memory_allocated() if device == "cuda" else None
    name = named(checkpoint, device)
    links = [("all", "data"), *((loop, link) for loop in LOOPS for link in ("loop", "step"))]
    ratios = {f"{name}-{loop}-{link}": run.ratio(loop, link) for loop, link in links}
    here = tuple(b for b in bounds.ratios if held and b.in_gate and device == "cpu")
    if here:
        ratios[f"{name}-all-batches"] = rounds.measure_batches(recipe, data)
    outcome = None
    if here or exacts:
        outcome = judge(Bounds(here, exacts), ratios, counts, run.noise(), device)
    return InTurn(name, recipe, data, run, ratios, counts, outcome, peak, on_device)


def padding(turn: InTurn) -> dict[str, Any]:
    """Tokens of all the steps that were timed: each round takes the same batches."""
    one = step_counts.padding(turn.recipe, turn.data)
    rounds = turn.run.rounds
    return {**one, "tokens": rounds * one["tokens"], "padded": rounds * one["padded"]}
