"""A model sharded over two processes trains as a whole one; a ledger has each one's shards."""

from pathlib import Path

import pytest

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.diff.verdict import Reason
from reference.process.workers import Starter
from tests.conftest import write_mrpc
from tests.helpers.ranks import Ranks, run_ranks
from tests.launch.test_widths import apart, rates, samples, words

SHARDED = ["--fsdp", "full_shard"]


def farthest(one: Ranks, other: Ranks) -> tuple[float, float]:
    """Of all steps' gradients, and of the last weights."""
    left, right = one.kept(), other.kept()
    pairs = zip(left["gradients"], right["gradients"], strict=True)
    return max(apart(a, b) for a, b in pairs), apart(left["weights"], right["weights"])


def test_two_shards_train_as_one_model(start: Starter, tmp_path: Path) -> None:
    """In float64, to twelve digits; 25 rows, so that in a last batch rank 1 has none of its own."""
    given = words(tmp_path, 25)
    one = run_ranks(start, tmp_path / "one", 1, given, dtype="float64")
    two = run_ranks(start, tmp_path / "two", 2, [*given, *SHARDED], dtype="float64")
    assert two.codes == [0, 0], two.log(0)
    assert max(farthest(one, two)) < 1e-12
    assert rates(one, 0) == rates(two, 0) == rates(two, 1)
    whole, shard = (each.ledger(0).models[0]["parameters"][0] for each in (one, two))
    assert shard == [*whole, "S(0) over 2"]


@pytest.mark.slow
def test_the_configuration_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = write_mrpc(tmp_path / "data", 16, 8), tmp_path / "run"
    more = ["--data", str(data), "--max-steps", "2", "--run-dir", str(run)]
    assert main(["launch", "fsdp-cpu-2", "train", "accelerated", *more]) == 0, capsys.readouterr()
    assert "S(0) over 2" in (run / "ledger-1.jsonl").read_text()


@pytest.mark.slow
def test_shards_are_recorded_and_compared(start: Starter, tmp_path: Path) -> None:
    """Two sharded runs are identical; another seed isn't, and a run of whole models is another."""
    given = words(tmp_path, 25, *SHARDED)
    whole = [word for word in given if word not in SHARDED]
    one, two, other, unsharded = (
        run_ranks(start, tmp_path / name, 2, each).folder / "run"
        for name, each in (
            ("one", given),
            ("two", given),
            ("other", [*given, "--seed", "43"]),
            ("unsharded", whole),
        )
    )
    same = diff(one, two)
    assert (same.verdict, same.ranks, same.steps) == ("identical", 2, 8)
    assert diff(one, other).verdict == "diverged"
    against = diff(one, unsharded)
    assert (against.verdict, against.reason) == ("incomparable", Reason.OTHER_MODELS)
    assert "batches and generators are equal for 8 steps" in against.detail


@pytest.mark.slow
def test_in_float32_shards_are_as_near_to_float64_as_whole_models(
    start: Starter, tmp_path: Path
) -> None:
    """Adam makes much of rounding where a gradient is nearly nothing: 4 times as far is as near."""
    given = words(tmp_path, 25, "--learning-rate", "5e-6")
    exact = run_ranks(start, tmp_path / "exact", 1, given, dtype="float64")
    whole = {n: run_ranks(start, tmp_path / f"whole-{n}", n, given) for n in (1, 2, 3)}
    sharded = run_ranks(start, tmp_path / "sharded", 2, [*given, *SHARDED])
    assert samples(whole[2], 2) == samples(sharded, 2)
    assert rates(whole[2], 0) == rates(sharded, 0)
    found = farthest(exact, sharded)
    each = [farthest(exact, ranks) for ranks in whole.values()]
    print(f"gradients, weights off float64: whole models {each}, shards {found}")
    for ours, *theirs in zip(found, *each, strict=True):
        assert ours < 4 * max(theirs) < 1e-4
