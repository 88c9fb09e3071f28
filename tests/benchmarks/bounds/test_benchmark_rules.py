"""What every benchmark must leave, and the bound of its own ratio."""

from dataclasses import asdict

from benchmarks.bounds.benchmark_rules import SURROUNDINGS, hold_own_bounds, missing_figures
from benchmarks.bounds.read import Bound
from tests.benchmarks.made_up import around

COMPLETE = dict.fromkeys(SURROUNDINGS, 1)


def test_what_is_missing_is_named_with_what_adds_it() -> None:
    assert missing_figures(COMPLETE) is None
    without = {name: 1 for name in COMPLETE if name != "device"}
    added = "update it with recipes.surroundings(recipe)"
    assert missing_figures(without) == f"extra_info lacks device: {added}"
    steps = {**COMPLETE, "steps": 7, "tokens": 1}
    assert "lacks padding_share: update it with step_counts.padding" in str(missing_figures(steps))
    assert missing_figures({**steps, "padding_share": 0.5}) is None


def test_a_benchmarks_own_bound_is_held() -> None:
    own = Bound("embedded", "manual", "observing", 1.4, "a reason")
    of_gate = Bound("embedded", "manual", "loop", 1.01, "another reason")
    for middle, start, is_past in ((1.402, "ok   ", False), (1.41, "PAST ", True)):
        ratios = {bound.name: asdict(around(middle)) for bound in (own, of_gate)}
        ((line, past),) = hold_own_bounds({"ratios": ratios}, [own, of_gate])
        assert line.startswith(f"{start}embedded-manual-observing: {middle:.4f} [")
        assert past == is_past
        assert line.endswith("bound 1.4" + (": a reason" if is_past else ""))
    assert list(hold_own_bounds({}, [own])) == []
