"""Ledgers of schema 2, beside today's: what both hold is compared, and what isn't is said."""

import copy

import pytest
import torch

from reference.diff.ledgers import diff
from reference.ledger.reader import Item, Ledger
from reference.ledger.record import Record, encode
from tests.helpers.small import net, train, watch

OLDER = {"kind": "header", "schema": 2}


def evaluating(rows: int = 4) -> None:
    model = net()
    train(model)
    with torch.no_grad():
        model(torch.ones(rows, 4))


def as_older(ledger: Ledger, accuracy: float | None = None) -> Ledger:
    """With the evaluations as schema 2 had them, and no ends of models."""
    records = [_older(copy.deepcopy(item.record), accuracy) for item in ledger.items]
    return Ledger(OLDER, [Item(encode(record), "") for record in records])


def _older(record: Record, accuracy: float | None) -> Record:
    if record["kind"] == "evaluation":
        metrics = record["metrics"]
        kept = {name: metrics[name] for name in ("count", "training")}
        scores = {} if accuracy is None else {"accuracy": accuracy}
        hashes = {"predictions": "a", "logits": "b", "batches": "c"}
        return {
            "kind": "evaluation",
            "step": record["step"],
            "metrics": {**kept, **hashes, "scores": scores},
        }
    if record["kind"] == "end":
        record.pop("models", None)
    return record


def test_two_older_ledgers_are_compared_as_they_were() -> None:
    older = as_older(watch(evaluating))
    assert diff(older, as_older(watch(evaluating))).verdict == "identical"
    other = diff(older, as_older(watch(evaluating, 5)))
    assert (other.verdict, other.link) == ("diverged", "metrics")


@pytest.mark.parametrize("first", [True, False])
def test_an_older_evaluation_beside_todays_is_not_compared_and_said(first: bool) -> None:
    ledger = watch(evaluating)
    pair = (as_older(ledger), ledger) if first else (ledger, as_older(ledger))
    verdict = diff(*pair)
    assert verdict.verdict == "incomparable"
    lacking = "A" if first else "B"
    assert any(f"metrics, which {lacking} lacks" in note for note in verdict.notes)


def test_how_many_rows_both_say() -> None:
    verdict = diff(as_older(watch(evaluating)), watch(evaluating, 5))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")


def test_scores_both_have() -> None:
    def scored(accuracy: float) -> Ledger:
        ledger = watch(evaluating)
        for item in ledger.items:
            if item.kind == "evaluation":
                item.record["metrics"]["scores"] = {"accuracy": accuracy}
        return ledger

    verdict = diff(as_older(watch(evaluating), 0.5), scored(0.25))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")
    assert "accuracy: 0.5 and 0.25" in verdict.detail
