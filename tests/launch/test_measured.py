"""Figures of several processes on the whole embedded recipe; printed (-s), and held to a bound.

python -m pytest -m slow -s tests/launch/test_measured.py
"""

import json
from pathlib import Path
from typing import Any

import pytest

from reference.diff.ledgers import diff
from reference.process.workers import Starter
from tests.helpers.ranks import Ranks, run_ranks

pytestmark = pytest.mark.slow
WHOLE = ["accelerated", "--device", "cpu", "--dropout", "0"]


def losses(ranks: Ranks, size: int) -> list[float]:
    """Each step's loss over the rows of all processes: shares of 8 rows are equal on 1, 2 and 4."""
    steps = [ranks.ledger(rank).steps for rank in range(size)]
    return [
        sum(step["forward"][0]["loss"] for step in together) / size
        for together in zip(*steps, strict=True)
    ]


def rows(ranks: Ranks, size: int) -> list[list[str]]:
    steps = [ranks.ledger(rank).steps for rank in range(size)]
    return [
        sorted(row for step in s for row in step["batch"][0]["input_ids"][-1]["rows"].split())
        for s in zip(*steps, strict=True)
    ]


def rates(ranks: Ranks) -> list[Any]:
    return [step["schedule"] for step in ranks.ledger(0).steps]


def apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) / a for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("rate", ["5e-4", "5e-5"])  # the embedded recipe's, and the course's
def test_a_hundred_steps_on_one_two_and_four(rate: str, start: Starter, tmp_path: Path) -> None:
    """The envelope is one process's own: the same recipe, but each batch in two halves."""
    given = [*WHOLE, "--max-steps", "100", "--learning-rate", rate]
    one = run_ranks(start, tmp_path / "1", 1, given)
    halves = [*given, "--train-batch-size", "4", "--gradient-accumulation-steps", "2"]
    steps = run_ranks(start, tmp_path / "halves", 1, halves).ledger(0).steps
    in_halves = [sum(part["loss"] for part in step["forward"]) / 2 for step in steps]
    envelope = apart(losses(one, 1), in_halves)
    for size in (2, 4):
        several = run_ranks(start, tmp_path / str(size), size, given)
        assert rows(several, size) == rows(one, 1)
        assert rates(several) == rates(one)
        largest = apart(losses(one, 1), losses(several, size))
        print(f"rate {rate}, 1 and {size}: losses {largest:.1e} apart (envelope {envelope:.1e})")
        assert largest < 2 * envelope < 1e-4


def test_the_whole_recipe_on_one_and_two(start: Starter, tmp_path: Path) -> None:
    """The envelope: one process by the same recipe, which takes each batch in two halves.

    Until the epoch's last batch, of 4 rows, which is one half to it, these are the same run.
    """
    halves = [*WHOLE, "--train-batch-size", "4", "--gradient-accumulation-steps", "2"]
    runs = (("one", 1, WHOLE), ("halves", 1, halves), ("two", 2, WHOLE), ("again", 2, WHOLE))
    one, by_halves, two, again = (
        run_ranks(start, tmp_path / name, size, given) for name, size, given in runs
    )
    first, half, second = (each.kept()["predictions"] for each in (one, by_halves, two))
    equal, envelope = int((first == second).sum()), int((first == half).sum())
    metrics = [json.loads((each.folder / "run/metrics.json").read_text()) for each in (one, two)]
    print(f"1377 steps, {len(first)} answers: {equal} equal on 1 and 2; {envelope} in halves")
    print(metrics)
    assert [each["steps"] for each in metrics] == [1377, 1377]
    before = slice(0, 3668 // 8)
    assert updates(two)[before] == updates(by_halves)[before]
    assert len(updates(two)) == len(updates(by_halves)) == 1377
    # 399 of 408, both, on 2026-11-29: a rate of 5e-4 makes much of float32's rounding.
    assert min(equal, envelope) >= 0.97 * len(first)
    verdict = diff(two.folder / "run", again.folder / "run")
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, 1377)


def updates(ranks: Ranks) -> list[Any]:
    return [(step["clip"], step["update"]) for step in ranks.ledger(0).steps]


def test_the_whole_split_is_evaluated_alike_on_one_to_five(start: Starter, tmp_path: Path) -> None:
    """408 rows, by weights that the step doesn't move: each once, in the data's order."""
    given = [*WHOLE, "--max-steps", "1", "--learning-rate", "1e-30"]
    one, *several = (run_ranks(start, tmp_path / str(n), n, given) for n in range(1, 6))
    kept = one.kept()
    assert len(kept["references"]) == 408
    for each in several:
        for rank in range(len(each.codes)):
            for name in ("predictions", "references"):
                assert each.kept(rank)[name].tolist() == kept[name].tolist()
        scores = [json.loads((r.folder / "run/metrics.json").read_text()) for r in (one, each)]
        assert scores[0]["scores"] == scores[1]["scores"]
