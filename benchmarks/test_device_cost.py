"""What each loop adds to the bare step on a CUDA device, all in turn in one process.

    python -m pytest -m gpu benchmarks -s                part of: tox -e gpu

Timed between two CUDA events, with the device idle before and after; the first round only warms up
(`measured.measure`). With deterministic algorithms on, as all runs have them.
Never run on a device so far: no bound is held, and the figures go into `extra_info`.
"""

from dataclasses import asdict

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import exact, measured
from benchmarks.count import trained
from reference.data.pipeline import load_data
from reference.loops import LOOPS

STEPS, ROUNDS, MOST = 42, 8, 16


@pytest.mark.gpu
def test_loops_in_turn_on_a_gpu(benchmark: BenchmarkFixture) -> None:
    recipe = measured.make_recipe("embedded", STEPS, "cuda")
    data = measured.short_evaluation(load_data(recipe))
    short = measured.make_recipe("embedded", exact.BEFORE, "cuda")
    counts = {
        loop: exact.count_step(trained(loop, short, data), "cuda").to_json()
        for loop in ("bare", *LOOPS)
    }
    torch.cuda.reset_peak_memory_stats()
    limits = {"rounds": ROUNDS, "most_rounds": MOST, "data": data}
    run = benchmark.pedantic(measured.measure, args=(recipe,), kwargs=limits, rounds=1)
    links = [("all", "data"), *((loop, link) for loop in LOOPS for link in ("loop", "step"))]
    ratios = {f"embedded-{loop}-{link}": run.ratio(loop, link) for loop, link in links}
    benchmark.extra_info.update(
        {
            "checkpoint": "embedded",
            "steps": run.rounds * STEPS,
            "ratios_on_cuda": {name: asdict(ratio) for name, ratio in ratios.items()},
            "noise_on_cuda": asdict(run.noise()),
            "counts_on_cuda": counts,
            "peak_device_bytes": torch.cuda.max_memory_allocated(),
            **measured.surroundings(recipe),
        }
    )
    print(f"\nA/A: bare step / bare step {run.noise()}")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio}")
    for loop, counted in counts.items():
        print(f"{loop}: {counted}")
