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


def as_schema_3(ledger: Ledger) -> Ledger:
    """With evaluations as schema 3 had them."""
    new = ("held", "precise", "whole", "computed", "going_on", "earlier")
    records = [copy.deepcopy(item.record) for item in ledger.items]
    for record in records:
        if record["kind"] == "evaluation":
            metrics = record["metrics"]
            kept = {name: value for name, value in metrics.items() if name not in new}
            for kind in ("inputs", "outputs"):
                kept[kind] = {name: value[:4] for name, value in metrics[kind].items()}
            record["metrics"] = {**kept, "weights": metrics["held"]}
    header = {"kind": "header", "schema": 3}
    return Ledger(header, [Item(encode(record), "") for record in records])


def test_ledgers_of_schema_3_are_compared_with_each_other_and_with_todays() -> None:
    ledger, other = watch(evaluating), watch(evaluating, 5)
    older = as_schema_3(ledger)
    for pair in ((older, as_schema_3(watch(evaluating))), (older, ledger), (ledger, older)):
        assert diff(*pair).verdict == "identical"
    for pair in ((older, as_schema_3(other)), (older, other), (other, older)):
        verdict = diff(*pair)
        assert (verdict.verdict, verdict.link) == ("diverged", "metrics")


def test_lists_of_odd_modules_mean_the_same_in_full_and_in_short() -> None:
    """A ledger of schema 3 may have either: what refers to a list counts as the list."""

    def frozen() -> None:
        model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(6)))
        for part in model:
            part.eval()
        train(torch.nn.Sequential(model, torch.nn.Linear(4, 2)))

    ledger = watch(frozen)
    assert isinstance(ledger.steps[1]["mode"]["odd"], str)
    full = ledger.steps[0]["mode"]["odd"]
    records = [copy.deepcopy(item.record) for item in ledger.items]
    for record in records:
        if record["kind"] == "step":
            record["mode"]["odd"] = full
    in_full = Ledger({"kind": "header", "schema": 3}, [Item(encode(r), "") for r in records])
    for pair in ((in_full, ledger), (ledger, in_full), (in_full, in_full)):
        assert diff(*pair).verdict == "identical"


def test_an_end_without_optimizers_is_said_to_be_older() -> None:
    ledger = watch(evaluating)
    records = [copy.deepcopy(item.record) for item in ledger.items]
    for name in ("optimizers", "rng", "gradients", "saved"):
        del records[-1][name]
    older = Ledger({"kind": "header", "schema": 4}, [Item(encode(r), "") for r in records])
    verdict = diff(older, watch(evaluating))
    assert verdict.verdict == "identical"
    lacking = "A, of an older schema, lacks them"
    assert any(note.endswith(lacking) for note in verdict.notes), verdict.notes
