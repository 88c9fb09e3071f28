"""Time to a verdict, as somebody waits for it: the commands in processes of their own.

    python -m pytest benchmarks -k verdict
    python -m pytest benchmarks -k verdict -m slow        over all of the run's 1377 steps
    python -m pytest benchmarks -k verdict -m gpu         on a CUDA device

`compare` trains the three loops of the embedded recipe; `explain` names the one deviation of a run
that was made before, by replays.
"""

import math
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing import recipes
from reference.lesson import embedded
from reference.lesson.recipe_sources import EMBEDDED

ROOT = Path(__file__).resolve().parents[2]
CASES = [
    pytest.param(40, "cpu", id="40"),
    pytest.param(None, "cpu", id="whole", marks=pytest.mark.slow),
    pytest.param(40, "cuda", id="40-cuda", marks=pytest.mark.gpu),
]


def command(device: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m reference ...` on a device."""
    line = [sys.executable, "-m", "reference", *arguments, "--device", device]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True)


def length(steps: int | None) -> tuple[int, list[str]]:
    """How many steps the run has, and the options that say so; None: the whole run."""
    if steps is not None:
        return steps, ["--max-steps", str(steps)]
    rows = len(embedded.make_split("mrpc", "train")["label"])
    return EMBEDDED.duration(math.ceil(rows / EMBEDDED.train_batch_size))[1], []


def note(benchmark: BenchmarkFixture, steps: int, device: str) -> None:
    """Fill `extra_info`. The memory is that of the largest process that was started so far."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    around = recipes.surroundings(recipes.make_recipe("embedded", steps - 1, device))
    figures: dict[str, Any] = {**around, "compared_steps": steps, "peak_process_bytes": peak}
    benchmark.extra_info.update(figures)


@pytest.mark.parametrize(("steps", "device"), CASES)
def test_compare_verdict(
    benchmark: BenchmarkFixture, steps: int | None, device: str, tmp_path: Path
) -> None:
    """Three loops, trained and compared."""
    count, options = length(steps)
    where = ["--run-dir", str(tmp_path / "run")]
    done = benchmark.pedantic(command, args=(device, "compare", *options, *where), rounds=1)
    assert done.returncode == 0, done.stderr
    assert f"identical: 3 loops, {count} steps, every link of every step\n" in done.stdout
    note(benchmark, count, device)


@pytest.mark.parametrize(("steps", "device"), CASES)
def test_explain_verdict(
    benchmark: BenchmarkFixture, steps: int | None, device: str, tmp_path: Path
) -> None:
    """Another eps in Adam's denominator, which shows at the first step's optimizer."""
    count, options = length(steps)
    run = str(tmp_path / "run")
    trained = command(
        device, "train", "manual", *options, "--adam-epsilon", "1e-6", "--run-dir", run
    )
    assert trained.returncode == 0, trained.stderr
    done = benchmark.pedantic(command, args=(device, "explain", run, *options), rounds=1)
    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "proven: eps 1e-06"
    assert lines[-1].endswith(f"the last one equal in every link of all {count} steps")
    note(benchmark, count, device)
