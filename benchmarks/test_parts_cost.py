"""Where each loop's time goes, by name.

python -m pytest benchmarks -k parts -s
python -m pytest benchmarks -m gpu -k parts -s      on a CUDA device
"""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.counting import step_counts
from benchmarks.measurements import step_parts
from benchmarks.timing import recipes
from benchmarks.timing.checkpoints import cases, named, source_of
from reference.lesson.data.pipeline import load_data

STEPS = {"embedded": 80, "minilm": 16}


@pytest.mark.parametrize(("checkpoint", "device"), cases(STEPS, slow={"minilm"}))
def test_parts(benchmark: BenchmarkFixture, checkpoint: str, device: str, tmp_path: Path) -> None:
    """That the weights are equal, with a clock on the parts and without, `take_apart` asserts."""
    source = source_of(checkpoint, tmp_path)
    apart = benchmark.pedantic(
        step_parts.measure, args=(source, STEPS[checkpoint], device), rounds=1
    )
    result = apart.to_json()
    padding = step_counts.padding(apart.recipe, load_data(apart.recipe))
    figures = {"checkpoint": named(checkpoint, device), "steps": result["steps"], "parts": result}
    benchmark.extra_info.update({**figures, **padding, **recipes.surroundings(apart.recipe)})
    print("\n" + "\n".join([*step_parts.table(result), *step_parts.footing(result)]))
    for spent in result["spent_us"].values():
        assert all(spent[part] > 0 for part in ("data", "scheduler")), spent
