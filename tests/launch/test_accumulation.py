"""Accumulated gradients against the full batch's, tensor by tensor, on one process and on two.

python -m pytest -m slow -s tests/launch/test_accumulation.py
"""

from pathlib import Path

import pytest
import torch

from reference.process.workers import Starter
from tests.conftest import write_mrpc
from tests.helpers.ranks import Ranks, run_ranks

# In batches of 16, of which the last of an epoch has 11: the last window is smaller, and uneven on
# two processes. The weights don't move, so that all steps begin alike.
ROWS, BATCH = 27, 16
STILL = ["--dropout", "0", "--num-train-epochs", "2", "--learning-rate", "1e-30"]
BOUND = 1e-6
WAYS = [
    (loop, size, accumulated)
    for loop, size in (("manual", 1), ("accelerated", 1), ("accelerated", 2))
    for accumulated in (2, 4, 8)
]


def given(folder: Path, loop: str, accumulated: int) -> list[str]:
    if not folder.exists():
        write_mrpc(folder, ROWS, 8)
    size = str(BATCH // accumulated)
    more = ["--train-batch-size", size, "--gradient-accumulation-steps", str(accumulated)]
    return [loop, "--device", "cpu", *STILL, "--data", str(folder), *more]


def apart(full: Ranks, other: Ranks) -> tuple[float, str]:
    """(the largest relative difference of a gradient tensor, its name).

    A softmax takes no notice of a key's bias: its gradient is nothing but rounding, and is held
    against that of the whole model.
    """
    differences = []
    kept = full.kept(), other.kept()
    steps = list(zip(*(each["gradients"] for each in kept), strict=True))
    assert len(steps) == 4
    for number, (ours, theirs) in enumerate(steps, 1):
        whole = torch.cat([tensor.flatten() for tensor in ours]).norm()
        for name, one, two in zip(kept[0]["names"], ours, theirs, strict=True):
            two = two.to(one.dtype)
            norm = whole if name.endswith("key.bias") else one.norm()
            differences.append((float((one - two).norm() / norm), f"step {number}, {name}"))
    return max(differences)


def rates(ranks: Ranks) -> list[object]:
    return [step["schedule"] for step in ranks.ledger(0).steps]


def full_batch(start: Starter, tmp_path: Path, dtype: str = "float64") -> Ranks:
    return run_ranks(
        start, tmp_path / f"full-{dtype}", 1, given(tmp_path / "data", "manual", 1), dtype=dtype
    )


def hold(
    start: Starter, full: Ranks, tmp_path: Path, dtype: str, ways: list[tuple[str, int, int]]
) -> list[tuple[float, str]]:
    """Each (loop, processes, accumulated) against the full batch of the manual loop in float64."""
    data = tmp_path / "data"
    found = []
    for loop, size, accumulated in ways:
        folder = tmp_path / f"{loop}-{size}-{accumulated}"
        several = run_ranks(start, folder, size, given(data, loop, accumulated), dtype=dtype)
        assert several.codes == [0] * size, several.log(0)
        assert rates(several) == rates(full)
        found.append(apart(full, several))
        print(f"{dtype}, {loop}, {size} processes, {accumulated} batches: {found[-1]}")
    return found


def test_accumulation_on_two_processes_is_the_full_batch(start: Starter, tmp_path: Path) -> None:
    found = hold(start, full_batch(start, tmp_path), tmp_path, "float64", [("accelerated", 2, 4)])
    assert max(found)[0] < BOUND


@pytest.mark.slow
def test_any_accumulation_is_the_full_batch(start: Starter, tmp_path: Path) -> None:
    assert max(hold(start, full_batch(start, tmp_path), tmp_path, "float64", WAYS))[0] < BOUND


@pytest.mark.slow
def test_in_float32_it_is_as_near_as_the_full_batch_itself(start: Starter, tmp_path: Path) -> None:
    """Where a tensor's parts nearly cancel, float32 can't hold the bound: nor can one batch."""
    exact = full_batch(start, tmp_path)
    full = apart(exact, full_batch(start, tmp_path, "float32"))
    print(f"float32, the full batch itself: {full}")
    assert max(hold(start, exact, tmp_path, "float32", WAYS))[0] < 4 * full[0] < 2e-3


@pytest.mark.slow
def test_a_wrong_divisor_is_seen(start: Starter, tmp_path: Path) -> None:
    """The stock Trainer divides by nothing where it accumulates, for BERT."""
    data = tmp_path / "data"
    full = run_ranks(start, tmp_path / "full", 1, given(data, "trainer", 1))
    other = run_ranks(start, tmp_path / "other", 1, given(data, "trainer", 2))
    norms = [each.kept()["gradients"][0] for each in (full, other)]
    ratio = [torch.cat([t.flatten() for t in each]).norm() for each in norms]
    assert float(ratio[1] / ratio[0]) == pytest.approx(2.0, rel=1e-4)
