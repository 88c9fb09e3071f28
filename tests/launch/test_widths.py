"""One recipe on one process and on several: the same run, as far as numbers can be the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from reference.diff.ledgers import diff
from reference.process.workers import Starter
from tests.conftest import write_mrpc
from tests.helpers.ranks import Ranks, run_ranks

SHORT = ["accelerated", "--device", "cpu", "--dropout", "0", "--num-train-epochs", "2"]


def words(tmp_path: Path, rows: int, *more: str, evaluated: int = 20) -> list[str]:
    """Training on so many rows, in batches of 8, and evaluation on others."""
    data = tmp_path / f"data-{rows}"
    if not data.exists():
        write_mrpc(data, rows, evaluated)
    return [*SHORT, "--data", str(data), "--learning-rate", "5e-4", *more]


def samples(ranks: Ranks, world_size: int) -> list[list[str]]:
    """The hashes of each step's rows, on all ranks."""
    steps: list[list[str]] = []
    for rank in range(world_size):
        for number, step in enumerate(ranks.ledger(rank).steps):
            if len(steps) <= number:
                steps.append([])
            for batch in step["batch"]:
                steps[number] += batch["input_ids"][-1]["rows"].split()
    return [sorted(step) for step in steps]


def rates(ranks: Ranks, rank: int) -> list[Any]:
    return [step["schedule"] for step in ranks.ledger(rank).steps]


def apart(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """How far apart, relative to the norm of the first."""
    first, second = (torch.cat([t.flatten().double() for t in each]) for each in (one, other))
    return float((first - second).norm() / first.norm())


def hold_to_one(start: Starter, tmp_path: Path, given: list[str], sizes: Sequence[int]) -> None:
    """In float64: the gradient of each step, and the weights after the last, to twelve digits."""
    one = run_ranks(start, tmp_path / "one", 1, given, dtype="float64").kept()
    for size in sizes:
        several = run_ranks(start, tmp_path / str(size), size, given, dtype="float64")
        assert several.codes == [0] * size, several.log(0)
        gradients = zip(one["gradients"], several.kept()["gradients"], strict=True)
        assert max(apart(a, b) for a, b in gradients) < 1e-12
        assert apart(one["weights"], several.kept()["weights"]) < 1e-12


def test_two_processes_train_as_one(start: Starter, tmp_path: Path) -> None:
    """Of 27 rows the last batch has three, of which rank 0 has two."""
    hold_to_one(start, tmp_path, words(tmp_path, 27), [2])
    one, two = (Ranks(tmp_path / name, [0]) for name in ("one", "2"))
    assert samples(one, 1) == samples(two, 2)
    assert len(samples(one, 1)) == 8
    assert rates(one, 0) == rates(two, 0) == rates(two, 1)
    assert one.ledger(0).steps[-1]["schedule"]["next_learning_rate"] == [0.0]
    files = {path.name for path in (two.folder / "run").iterdir()}
    assert files == {"ledger.jsonl", "ledger-1.jsonl", "metrics.json", "model", "recipe.json"}
    assert "accelerated" in two.log(0)
    assert "accelerated" not in two.log(1)  # one table
    metrics = [
        json.loads((each.folder / "run" / "metrics.json").read_text()) for each in (one, two)
    ]
    # A ledger has outputs in float32: the loss of 3 rows, or those of 2 and of 1.
    assert metrics[0]["final_loss"] == pytest.approx(metrics[1]["final_loss"], rel=1e-6)


def test_the_same_width_twice_is_identical(start: Starter, tmp_path: Path) -> None:
    """With dropout, which is drawn on each rank."""
    given = words(tmp_path, 25, "--dropout", "0.1")
    one, two = (run_ranks(start, tmp_path / name, 2, given).folder / "run" for name in "ab")
    verdict = diff(one, two)
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, 8)


def test_two_processes_are_one_that_takes_each_batch_in_two_halves(
    start: Starter, tmp_path: Path
) -> None:
    """To the last bit, in float32: what two widths are apart is how float32 adds, and no more.

    Of 25 rows the last batch has one, which is a half by itself in both: rank 1 has a row that
    counts nothing in it.
    """
    given = words(tmp_path, 25)
    two = run_ranks(start, tmp_path / "two", 2, given)
    halves = [*given, "--train-batch-size", "4", "--gradient-accumulation-steps", "2"]
    one = run_ranks(start, tmp_path / "one", 1, halves)
    ours, theirs = samples(one, 1), samples(two, 2)
    assert len(ours) == 8
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert b == (a if number % 4 < 3 else a + a)  # and the row that stands in
    a, b = one.kept(), two.kept()
    for step in zip(a["gradients"], b["gradients"], strict=True):
        assert all(map(torch.equal, *step))
    assert all(map(torch.equal, a["weights"], b["weights"]))


@pytest.mark.slow
@pytest.mark.parametrize("sharing", ["exact", "split", "whole"])
def test_the_trainer_is_the_same_run_but_for_its_scale(
    sharing: str, start: Starter, tmp_path: Path
) -> None:
    """By `exact` in whole batches: of a smaller one the Trainer repeats rows, as `split` does."""
    rows = 24 if sharing == "exact" else 25
    given = words(tmp_path, rows, "--sharing", sharing, evaluated=24 if sharing == "exact" else 21)
    steps = {"exact": 6, "split": 8, "whole": 4}[sharing]
    loop = run_ranks(start, tmp_path / "loop", 2, given).folder / "run"
    given[0] = "trainer"
    stock = run_ranks(start, tmp_path / "stock", 2, given).folder / "run"
    verdict = diff(loop, stock)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "gradient")
    assert "(2 times)" in (verdict.detail or "")
    averaged = run_ranks(start, tmp_path / "averaged", 2, given, dtype="averaged").folder / "run"
    verdict = diff(loop, averaged)
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, steps)


def test_evaluations_in_between_are_the_trainers_but_for_its_scale(
    start: Starter, tmp_path: Path
) -> None:
    given = words(tmp_path, 24, "--eval-strategy", "epoch", evaluated=24)
    loop = run_ranks(start, tmp_path / "loop", 2, given).folder / "run"
    given[0] = "trainer"
    averaged = run_ranks(start, tmp_path / "averaged", 2, given, dtype="averaged").folder / "run"
    ours = evaluations(loop)
    assert [each["step"] for each in ours] == [3, 6]
    assert evaluations(averaged) == ours
    verdict = diff(loop, averaged, each_evaluation=True)
    assert (verdict.verdict, verdict.ranks, verdict.steps) == ("identical", 2, 6)
    # One step in, nothing but the scale of the loss is another's.
    given = [*given, "--max-steps", "1", "--learning-rate", "1e-30"]
    stock = run_ranks(start, tmp_path / "stock", 2, given).folder / "run"
    given[0] = "accelerated"
    loop = run_ranks(start, tmp_path / "short", 2, given).folder / "run"
    assert evaluations(stock)[0]["loss"] == 2 * evaluations(loop)[0]["loss"]


def evaluations(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run / "metrics.json").read_text())["evaluations"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rows", [25, 27, 28])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_any_width_trains_as_one(
    start: Starter, tmp_path: Path, rows: int, accumulated: int
) -> None:
    more = ["--gradient-accumulation-steps", str(accumulated)]
    hold_to_one(start, tmp_path, words(tmp_path, rows, *more), [2, 3, 4])


@pytest.mark.slow
@pytest.mark.parametrize("rows", [25, 27, 28])
def test_in_float32_several_are_as_near_to_float64_as_one(
    start: Starter, tmp_path: Path, rows: int
) -> None:
    """Gradients of few rows nearly cancel: float32 itself is 1e-5 off there (-s shows it)."""
    given = words(tmp_path, rows, "--learning-rate", "5e-6")
    exact = run_ranks(start, tmp_path / "exact", 1, given, dtype="float64").kept()

    def off(size: int) -> tuple[float, float]:
        kept = run_ranks(start, tmp_path / str(size), size, given).kept()
        steps = zip(exact["gradients"], kept["gradients"], strict=True)
        return max(apart(a, b) for a, b in steps), apart(exact["weights"], kept["weights"])

    gradients, weights = off(1)
    print(f"{rows} rows, 1 process: gradients {gradients:.1e} off float64, weights {weights:.1e}")
    for size in (2, 3, 4):
        theirs = off(size)
        print(
            f"{rows} rows, {size}: gradients {theirs[0]:.1e} off float64, weights {theirs[1]:.1e}"
        )
        assert theirs[0] < 2 * gradients < 1e-4
        assert theirs[1] < 2 * weights < 1e-5


def hold_evaluation(start: Starter, tmp_path: Path, widths: tuple[int, ...]) -> None:
    """By weights that the steps don't move: each row once, in the data's order."""
    given = words(tmp_path, 25, "--max-steps", "1", "--learning-rate", "1e-30")
    one = run_ranks(start, tmp_path / "one", 1, given).kept()
    assert len(one["references"]) == 20
    for size in widths:
        several = run_ranks(start, tmp_path / str(size), size, given)
        for rank in range(size):
            for name in ("predictions", "references"):
                assert several.kept(rank)[name].tolist() == one[name].tolist()


def test_each_row_is_evaluated_once_on_three_processes(start: Starter, tmp_path: Path) -> None:
    """20 rows in batches of 9 on three processes: the last batch has two rows for three.

    Of a step's 8 rows they have 3, 3 and 2; its loss is that of one process.
    """
    hold_evaluation(start, tmp_path, (3,))
    losses = [
        json.loads((tmp_path / name / "run" / "metrics.json").read_text())["final_loss"]
        for name in ("one", "3")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.slow
def test_each_row_is_evaluated_once(start: Starter, tmp_path: Path) -> None:
    hold_evaluation(start, tmp_path, (2, 4, 5))


def test_processes_with_other_recipes_are_named(start: Starter, tmp_path: Path) -> None:
    def more(rank: int) -> list[str]:
        return ["--seed", "43"] if rank == 1 else []

    ranks = run_ranks(start, tmp_path / "two", 2, words(tmp_path, 25), more=more)
    assert ranks.codes == [2, 2]
    said = "rank 1: recipe.seed: 43 where rank 0 has 42; give all processes the same"
    assert said in ranks.log(0)
    assert said in ranks.log(1)
    assert not (ranks.folder / "run").exists()
