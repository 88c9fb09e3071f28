"""A training step of each loop, the bare step and the pipeline, all in turn in one process.

    python -m pytest benchmarks -k in_turn -s
    python -m pytest benchmarks -m gpu -k in_turn -s      on a CUDA device, part of: tox -e gpu

They are measured together, and each has its own benchmark, a round of which is a step. The bare
step's benchmark also has the ratios, intervals and counts, where `python -m benchmarks.gate --run
RUN.json` and the report read them. On a CUDA device a step is timed between two CUDA events, with
the device idle before and after, and with deterministic algorithms on, as all runs have them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bounds.judge import Outcome, judge, noise_line
from benchmarks.bounds.read import Bounds, read_bounds
from benchmarks.counting import step_counts
from benchmarks.counting.counts_of_bounds import count, count_all
from benchmarks.results.replayed_timer import replay, replayed
from benchmarks.timing import recipes, rounds
from benchmarks.timing.checkpoints import cases, named, source_of
from benchmarks.timing.compute_peak import matrix_product_peak, operations_a_step
from benchmarks.timing.measured_steps import BARE, PIPELINE, Measured
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.peak_memory import forget_peak, peak_bytes
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe


@dataclass(frozen=True)
class Size:
    """How much is measured of a checkpoint."""

    steps: int  # in a round; a multiple of the six orders
    rounds: int
    most: int  # rounds, where the machine is noisy


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
    outcome: Outcome | None  # None where no bound is held
    peak_bytes: int  # of the process, with all participants
    peak_device_bytes: int | None  # of the GPU likewise

    @property
    def steps(self) -> int:
        """Timed steps of each participant, over all rounds."""
        return self.run.rounds * (self.recipe.max_steps - 1)

    def seconds(self, name: str) -> list[float]:
        """The time of each step of a participant."""
        return [step for steps in self.run.times[name] for step in steps]

    def lines(self) -> list[str]:
        """How noisy the machine was, what has a bound, and the other figures."""
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
    """Count, measure, and judge what has bounds on this device.

    Args:
        checkpoint: its name in `SIZES`.
        source: what a recipe calls it.
        device: `cpu` or `cuda`.

    Raises:
        TrainingFailed: two loops end with unequal weights: nothing counts then.
    """
    forget_peak()
    size = SIZES[device][checkpoint]
    recipe = recipes.make_recipe(source, size.steps, device)
    data = recipes.short_evaluation(load_data(recipe))
    # Larger models take too few steps here to be judged: `python -m benchmarks.pair` does that.
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
    """Tokens of all rounds: each takes the same batches."""
    of_round = step_counts.padding(turn.recipe, turn.data)
    totals = {name: turn.run.rounds * of_round[name] for name in ("tokens", "padded")}
    return {**of_round, **totals}


Measure = Callable[[str, str], InTurn]


@pytest.fixture(scope="session")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Measures a checkpoint at the first call; later calls get the same, or the same error."""
    known: dict[tuple[str, str], InTurn | Exception] = {}

    def measured(checkpoint: str, device: str) -> InTurn:
        if (checkpoint, device) not in known:
            source = source_of(checkpoint, tmp_path_factory.mktemp(checkpoint))
            try:
                known[checkpoint, device] = measure_in_turn(checkpoint, source, device)
            except Exception as error:
                known[checkpoint, device] = error
        turn = known[checkpoint, device]
        if isinstance(turn, Exception):
            raise turn
        return turn

    return measured


@pytest.mark.parametrize("name", [BARE, *LOOPS])
@pytest.mark.parametrize(("checkpoint", "device"), cases(CHECKPOINTS, slow={"bert-base"}))
@pytest.mark.benchmark(timer=replayed)
def test_in_turn(
    benchmark: BenchmarkFixture, in_turn: Measure, checkpoint: str, device: str, name: str
) -> None:
    """One participant's steps, out of the measurement of all."""
    turn = in_turn(checkpoint, device)
    benchmark.group = f"a step in turn, {turn.checkpoint}"
    replay(benchmark, turn.seconds(name))
    figures = {"checkpoint": turn.checkpoint, "in_turn": name, "steps": turn.steps}
    benchmark.extra_info.update({**figures, **padding(turn), **recipes.surroundings(turn.recipe)})
    benchmark.extra_info["peak_process_bytes"] = turn.peak_bytes
    if turn.peak_device_bytes is not None:
        benchmark.extra_info["peak_device_bytes"] = turn.peak_device_bytes
    if name == BARE:
        benchmark.extra_info.update(turn.figures())
        print("\n" + "\n".join(turn.lines()))
        if turn.outcome is not None:
            assert not turn.outcome.past, turn.outcome.verdict
