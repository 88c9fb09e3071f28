"""The bounds as they are read."""

from pathlib import Path

import pytest

from benchmarks.bounds import read
from reference.errors import InputError


def test_the_bounds_have_reasons() -> None:
    bounds = read.read_bounds()
    assert {b.loop for b in bounds.ratios} == {"all", "manual", "accelerated", "trainer"}
    assert all(len(b.reason) > 10 for b in (*bounds.ratios, *bounds.exact))


def test_a_bound_names_a_benchmark_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would measure it, and nothing hold it."""
    assert {"observing", "collating", "in_turn"} <= set(read.benchmark_names())
    (observing,) = (b for b in read.read_bounds().ratios if b.name == "minilm-manual-observing")
    assert observing.own_benchmark
    assert observing.measured_by == "python -m pytest benchmarks -k observing"
    monkeypatch.setattr(read, "MEASUREMENTS", tmp_path)  # the benchmark is renamed, or gone
    with pytest.raises(InputError, match="observing: field link: 'observing' is none of data"):
        read.read_bounds()
