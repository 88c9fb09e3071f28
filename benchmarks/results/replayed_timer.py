"""Times that were measured elsewhere, as pytest-benchmark's own.

So its table, its stored runs and its comparison are of a step in turn, and not of how many rounds a
noisy machine needed.
"""

from collections.abc import Iterator, Sequence

from pytest_benchmark.fixture import BenchmarkFixture

_left: Iterator[float] = iter(())
_now = 0.0
_runs = False


def replayed() -> float:
    """The timer of a benchmark that `replay` fills: called as each round begins and as it ends."""
    global _now, _runs
    if _runs:
        _now += next(_left)
    _runs = not _runs
    return _now


def replay(benchmark: BenchmarkFixture, seconds: Sequence[float]) -> None:
    """Give a benchmark its times: a round for each of `seconds`.

    Raises:
        AssertionError: the benchmark's timer isn't `replayed`.
    """
    global _left, _now, _runs
    _left, _now, _runs = iter(seconds), 0.0, False
    benchmark.pedantic(lambda: None, rounds=len(seconds))
    assert next(_left, None) is None, "the benchmark's timer isn't `replayed`"
