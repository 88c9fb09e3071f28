"""Batches shared out to several processes: each row once, and each counts the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import SequentialSampler

from reference.lesson.data.shares import EvaluationShares, TrainingShares

SIZES = {"rows": st.integers(1, 60), "batch_size": st.integers(1, 12), "world": st.integers(1, 6)}
PLAIN = settings(deadline=None, max_examples=200)


@PLAIN
@given(**SIZES)
def test_the_shares_of_a_batch_are_the_batch(rows: int, batch_size: int, world: int) -> None:
    shares = [TrainingShares(range(rows), batch_size, rank, world) for rank in range(world)]
    batches = [list(range(rows))[i : i + batch_size] for i in range(0, rows, batch_size)]
    assert all(len(each) == len(batches) for each in shares)
    for number, (batch, *own) in enumerate(zip(batches, *shares, strict=True)):
        weights = [each.weights(number, 1)[0] for each in shares]
        counted = [row for part, w in zip(own, weights, strict=True) if w for row in part]
        assert sorted(counted) == batch
        assert all(own)  # each process has a backward pass


@PLAIN
@given(count=st.integers(1, 4), **SIZES)
def test_each_row_of_a_step_counts_the_same(
    rows: int, batch_size: int, world: int, count: int
) -> None:
    """Gradients are averaged over the processes, and each batch's loss over its own rows."""
    shares = [TrainingShares(range(rows), batch_size, rank, world) for rank in range(world)]
    batches = len(shares[0])
    for first in range(0, batches, count):
        together = min(count, batches - first)
        counts: dict[int, float] = {}
        for each in shares:
            parts = list(each)[first : first + together]
            for part, weight in zip(parts, each.weights(first, together), strict=True):
                for row in part if weight else []:
                    counts[row] = counts.get(row, 0.0) + weight / len(part) / world
        step = range(first * batch_size, min(rows, (first + together) * batch_size))
        assert counts == pytest.approx(dict.fromkeys(step, 1 / len(step)))


@PLAIN
@given(**SIZES)
def test_an_evaluation_has_each_row_once_and_in_order(
    rows: int, batch_size: int, world: int
) -> None:
    """As `gather_for_metrics` puts it together: by rank, and the last batch cut to what is left."""
    sampler = SequentialSampler(range(rows))
    shares = [EvaluationShares(sampler, batch_size, rank, world) for rank in range(world)]
    gathered: list[int] = []
    for own in zip(*shares, strict=True):
        assert len({len(part) for part in own}) == 1
        gathered += [row for part in own for row in part]
    assert gathered[:rows] == list(range(rows))
    assert all(row == rows - 1 for row in gathered[rows:])
    whole = shares[0].batch_size
    last = rows % whole or whole
    assert len(shares[0]) == -(-rows // whole)
    assert rows == (len(shares[0]) - 1) * whole + last


def test_shares_of_eight_on_three() -> None:
    assert [list(TrainingShares(range(11), 8, rank, 3)) for rank in range(3)] == [
        [[0, 1, 2], [8]],
        [[3, 4, 5], [9]],
        [[6, 7], [10]],
    ]
    assert TrainingShares(range(9), 8, 1, 2).weights(0, 2) == [4 * 2 / 9, 0.0]
