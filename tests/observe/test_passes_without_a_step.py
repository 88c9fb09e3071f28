"""Forward passes with gradients on of which no step is made: they evaluate, as they were then."""

import pytest
import torch

from reference.diff.ledgers import diff
from tests.helpers.small import net, train, watch


def evaluated(changed: str, rows: int = 5) -> None:
    """An evaluation with gradients on; afterwards somebody may write into what it was made of."""
    model, batch = net(), torch.ones(rows, 4)
    outputs = model(batch)
    with torch.no_grad():
        if changed == "input":
            batch.zero_()
        if changed == "output":
            outputs.zero_()
    train(model)


@pytest.mark.parametrize("changed", ["input", "output"])
@pytest.mark.parametrize("rows", [5, 1 << 17], ids=["small", "large"])
def test_what_is_written_into_its_tensors_afterwards_is_not_in_its_record(
    changed: str, rows: int
) -> None:
    plain, written = watch(evaluated, "", rows), watch(evaluated, changed, rows)
    assert diff(plain, written).verdict == "identical"
    (evaluation,), (other,) = plain.evaluations, written.evaluations
    assert evaluation == other
    assert evaluation["metrics"]["count"] == rows


def test_other_rows_are_seen() -> None:
    def other() -> None:
        model = net()
        model(2 * torch.ones(5, 4))
        train(model)

    verdict = diff(watch(evaluated, ""), watch(other))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")
