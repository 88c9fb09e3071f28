"""Made-up ratios and counts against their bounds."""

import pytest

from benchmarks.bounds.judge import judge
from benchmarks.bounds.read import Bound, Bounds, Exact
from reference.errors import InputError
from tests.benchmarks.made_up import around

BOUND = Bound("embedded", "manual", "loop", 1.025, "a reason")


COUNT = Exact("manual", "reads", 42, "a reason")


NAME = "embedded-manual-loop"


def test_past_is_where_the_whole_interval_is() -> None:
    bounds = Bounds((BOUND,), (COUNT,))
    assert judge(bounds, {NAME: around(1.028)}, {COUNT.name: 42}, around(1.0)).past == []
    outcome = judge(bounds, {NAME: around(1.031)}, {COUNT.name: 42}, around(1.0))
    assert outcome.past == [NAME]
    said = "\n".join(outcome.lines)
    assert "loop manual" in said
    assert "link loop" in said
    assert "bound 1.025" in said
    assert "A/A" in said
    assert judge(bounds, {NAME: around(1.0)}, {COUNT.name: 43}, around(1.0)).past == [COUNT.name]


def test_a_bound_is_higher_where_data_takes_longer() -> None:
    bound = Bound("embedded", "trainer", "loop", 1.025, "a reason", of_data=0.5)
    name = bound.name
    for data, at_most in ((1e-9, 1.025), (0.25, 1.125), (1.0, 1.275)):
        here = {"embedded-all-data": around(data, data / 10)}
        assert bound.at_most_here(here) == pytest.approx(at_most)
        for found, past in ((at_most + 0.004, []), (at_most + 0.006, [name])):
            outcome = judge(Bounds((bound,), ()), {**here, name: around(found)}, {}, None)
            assert outcome.past == past
            assert "embedded-all-data" in outcome.lines[0]
            assert f"bound {at_most:.4g}" in outcome.lines[1]
            assert outcome.ratios[name]["at_most"] == pytest.approx(at_most)


def test_a_count_below_its_bound_is_said_to_be() -> None:
    for count, said in ((41, ": fewer; lower the bound"), (42, "")):
        outcome = judge(Bounds((), (COUNT,)), {}, {COUNT.name: count}, None)
        assert outcome.past == []
        assert outcome.lines == [f"ok   embedded: loop manual, reads: {count}, bound 42{said}"]


def test_a_noisy_machine_is_said_to_be() -> None:
    said = judge(Bounds((BOUND,), ()), {NAME: around(1.0)}, {}, around(1.0, 0.02)).lines
    assert any("a noisy machine" in line for line in said)


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(InputError, match="1 of 2 benchmarks"):
        judge(Bounds((BOUND,), (COUNT,)), {NAME: around(1.0)}, {}, around(1.0))
    with pytest.raises(InputError):
        judge(Bounds((), ()), {}, {}, None)
