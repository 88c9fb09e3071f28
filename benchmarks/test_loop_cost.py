"""What each loop adds to the bare step, all taking their steps in turn in one process.

    python -m pytest benchmarks -k in_turn -s

Equal first, then timed: all must end with the same weights. Ratios, intervals, counts and what the
machine was go into `extra_info`, where `python -m benchmarks.gate --run RUN.json` reads them.
"""

from dataclasses import asdict
from pathlib import Path
from statistics import mean, median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import exact, measured
from benchmarks.bounds import Bounds, read_bounds
from benchmarks.checkpoints import source_of
from benchmarks.count import count
from benchmarks.judged import judge
from benchmarks.measured import PIPELINE
from benchmarks.peak import matrix_product_peak, operations_a_step
from reference.data.pipeline import load_data
from reference.loops import LOOPS

# In a round; each of the six orders equally often.
STEPS = {"embedded": 42, "minilm": 6, "bert-base": 6}
ROUNDS = {"embedded": 8, "minilm": 4, "bert-base": 2}
MOST = {"embedded": 16, "minilm": 4, "bert-base": 2}  # minilm: 18 s a round
# BERT-base: 15 GB of memory for five models that train at once, and minutes (2026-11-24).


@pytest.mark.parametrize(
    "checkpoint", ["embedded", "minilm", pytest.param("bert-base", marks=pytest.mark.slow)]
)
def test_loops_in_turn(benchmark: BenchmarkFixture, checkpoint: str, tmp_path: Path) -> None:
    recipe = measured.make_recipe(source_of(checkpoint, tmp_path), STEPS[checkpoint])
    data = measured.short_evaluation(load_data(recipe))
    bounds = read_bounds()
    # Larger models take too few steps here to be held: `python -m benchmarks.pair` does that.
    held = checkpoint == "embedded"
    here = tuple(b for b in bounds.ratios if held and b.checkpoint == checkpoint)
    exacts = bounds.exact if held else ()
    counts = count(exacts, recipe, data)
    limits = {"rounds": ROUNDS[checkpoint], "most_rounds": MOST[checkpoint]}
    run = benchmark.pedantic(
        measured.measure, args=(recipe,), kwargs={**limits, "data": data}, rounds=1
    )
    links = [("all", "data"), *((loop, link) for loop in LOOPS for link in ("loop", "step"))]
    ratios = {f"{checkpoint}-{loop}-{link}": run.ratio(loop, link) for loop, link in links}
    if held:
        ratios[f"{checkpoint}-all-batches"] = measured.measure_batches(recipe, data)
    step_ms = {
        name: 1000 * median(step for one in rounds for step in one)
        for name, rounds in run.times.items()
    }
    seconds = {
        name: mean(step for one in rounds for step in one) for name, rounds in run.times.items()
    }
    peak, operations = matrix_product_peak(recipe), operations_a_step(recipe, data)
    benchmark.extra_info.update(
        {
            "checkpoint": checkpoint,
            "steps": run.rounds * STEPS[checkpoint],
            "ratios": {name: asdict(ratio) for name, ratio in ratios.items()},
            "noise": asdict(run.noise()),
            "counts": counts,
            "step_ms": step_ms,
            "matrix_product_peak": peak,
            "operations_a_step": operations,
            "share_of_peak": {
                name: operations / one / peak for name, one in seconds.items() if name != PIPELINE
            },
            **exact.padding(recipe, data),
            **measured.surroundings(recipe),
        }
    )
    print()
    for name, ratio in ratios.items():
        print(f"{name}: {ratio}")
    if held:
        outcome = judge(Bounds(here, exacts), ratios, counts, run.noise())
        print("\n".join(outcome.lines))
        assert not outcome.past, outcome.verdict
