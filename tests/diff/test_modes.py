"""Modules in another mode than their parent: in words, and once in a ledger."""

import json
from typing import Any

from torch import nn

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from reference.ledger.reader import Ledger
from tests.diff.pairs.small_trainings import fit, seeded
from tests.helpers.small import watch

BLOCKS = 30


def deep() -> nn.Sequential:
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(BLOCKS)]
    return nn.Sequential(nn.Sequential(*blocks), nn.Linear(4, 3))


def freeze(model: Any, count: int) -> None:
    for block in model[0][:count]:
        block[1].eval()


def trained(count: int, of_step: dict[int, int] | None = None, **how: Any) -> Ledger:
    def train() -> None:
        model = seeded(deep)
        freeze(model, count)
        fit(model, before=lambda step: freeze(model, (of_step or {}).get(step, 0)), **how)

    return watch(train)


def said_of(a: Ledger, b: Ledger) -> str:
    return "\n".join(lines("a and b", diff(a, b)))


def test_a_part_in_eval_mode_is_one_name() -> None:
    def train() -> None:
        model = seeded(deep)
        model[0].eval()
        fit(model)

    assert watch(train).steps[0]["mode"]["odd"] == ["0"]


def test_a_long_list_is_written_once() -> None:
    steps = trained(BLOCKS, steps=4).steps
    assert steps[0]["mode"]["odd"] == [f"0.{n}.1" for n in range(BLOCKS)]
    assert len({json.dumps(s["mode"]) for s in steps[1:]}) == 1
    assert len(json.dumps(steps[1]["mode"])) < 150


def test_a_list_that_changes_is_named_in_both_runs() -> None:
    said = said_of(trained(6), trained(6, {3: 8}))
    assert "part at step 3, link mode\n" in said
    assert "0.0.1, 0.1.1, 0.2.1 and 3 more in A" in said
    assert "0.0.1, 0.1.1, 0.2.1 and 5 more in B" in said


def test_lists_that_come_in_other_steps_are_the_same() -> None:
    assert said_of(trained(6), trained(6)).startswith("identical: ")
    said = said_of(trained(5, {2: 8}), trained(8))
    assert "part at step 1, link mode" in said


def test_a_resumed_run_has_the_list_anew() -> None:
    def whole() -> None:
        model = seeded(deep)
        freeze(model, 6)
        fit(model)

    def rest(count: int) -> Ledger:
        model = seeded(deep)
        freeze(model, 6)
        fit(model, steps=2)
        freeze(model, count)
        return watch(lambda: fit(model, steps=3, first=2))

    assert said_of(watch(whole), rest(6)).startswith("identical: ")
    assert "0.0.1, 0.1.1, 0.2.1 and 3 more in A" in said_of(watch(whole), rest(7))
