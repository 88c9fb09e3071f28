"""An evaluation that one run makes once more: its scores are compared all the same."""

import torch

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from tests.diff.pairs.small_trainings import fit, mlp, rows

ALONE = "not compared: an evaluation that the other run didn't make, in A, after step 5"


def evaluated(times: int, score: float | None) -> Ledger:
    memory = Memory({})
    with Observer(memory) as observer, torch.no_grad():
        model = mlp()
        with torch.enable_grad():
            fit(model)
        for _ in range(times):
            for part in rows(20).split(8):
                model(part)
        if score is not None:
            observer.add_scores({"accuracy": score})
    return memory.ledger


def test_once_more_with_the_same_score_is_the_same_run() -> None:
    verdict = diff(evaluated(2, 0.9), evaluated(1, 0.9))
    assert (verdict.verdict, verdict.notes) == ("identical", (ALONE,))


def test_once_more_with_another_score_is_none() -> None:
    verdict = diff(evaluated(2, 0.9), evaluated(1, 0.2))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")
    assert "accuracy: 0.9 and 0.2" in verdict.detail


def test_once_more_without_a_score_of_one_is_told() -> None:
    verdict = diff(evaluated(2, 0.9), evaluated(1, None))
    assert (verdict.verdict, verdict.notes[0]) == ("identical", ALONE)
    assert verdict.notes[1].startswith("not compared: scores")
