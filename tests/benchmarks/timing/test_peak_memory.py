"""The most memory since a moment."""

import sys

import pytest

from benchmarks.timing.peak_memory import forget_peak, peak_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_the_most_memory_is_that_since_it_was_forgotten() -> None:
    forget_peak()
    before = peak_bytes()
    block = bytearray(b"x" * 200_000_000)
    assert peak_bytes() > before + 150_000_000
    del block
    forget_peak()
    assert peak_bytes() < before + 100_000_000
