"""Ratios of a stored run beside today's."""

from dataclasses import asdict

from benchmarks.results.ratios_then_and_now import ratio_lines
from benchmarks.timing.paired_ratio import Ratio


def test_a_damaged_ratio_is_said_to_be() -> None:
    now = {"a": {"ratios": {"x": asdict(Ratio(1.0, 0.9, 1.1, 2, 2)), "new": {}}}}
    for then, said in (
        ({"x": {"median": "much"}}, ["--benchmark-compare: x: damaged in the stored run"]),
        ({}, []),
        ([], []),
        ({"x": asdict(Ratio(1.3, 1.2, 1.4, 2, 2))}, [": faster"]),
    ):
        lines = list(ratio_lines({"a": {"extra_info": {"ratios": then}}}, now))
        assert len(lines) == len(said)
        assert all(line.endswith(end) for line, end in zip(lines, said, strict=True))
    assert list(ratio_lines({}, now)) == []
