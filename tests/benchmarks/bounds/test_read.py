"""The bounds as they are read."""

from benchmarks.bounds.read import read_bounds


def test_the_bounds_have_reasons() -> None:
    bounds = read_bounds()
    assert {b.loop for b in bounds.ratios} == {"all", "manual", "accelerated", "trainer"}
    assert all(len(b.reason) > 10 for b in (*bounds.ratios, *bounds.exact))
