"""Why a stranger's run isn't the recipe's, as the lines of a failed test.

The message of `assert_same_run`'s AssertionError.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from reference.diff.curve_text import curve, curve_title
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import lines, sentence
from reference.explain.explanation import Explanation
from reference.explain.explanation_text import words
from reference.ledger.reader import Ledger

PATIENCE = 60.0  # seconds that a failed test may search for its explanation


@dataclass(frozen=True)
class Run:
    """What a run did, and the scores that it returned, where it did."""

    name: str
    ledger: Ledger
    scores: dict[str, float]
    went_on: bool = False  # beyond the recipe's last step, where it was stopped


OnStep = Callable[[int], None]
Explain = Callable[[Ledger, OnStep], Explanation]


class OutOfPatience(BaseException):
    """The time is over. No Exception: a replay takes those for failures of the loop."""


def diagnosis(ours: Run, theirs: Run, explain: Explain) -> list[str]:
    """Where and why the two runs part, in lines of plain text; none if they are the same run."""
    if not theirs.ledger.steps:
        return [f"{theirs.name} ended without a step: no torch optimizer's step() was called in it"]
    verdict = diff(ours.ledger, theirs.ledger)
    pair = f"{ours.name} and {theirs.name}"
    if verdict.verdict == "identical":
        return _unequal_scores(pair, ours.scores, theirs.scores)
    beyond = [_beyond(theirs.name, len(ours.ledger.steps))] if theirs.went_on else []
    if theirs.went_on and verdict.steps == len(ours.ledger.steps):
        return [f"diverged: {pair} are equal up to the recipe's last step", *beyond]
    if verdict.verdict == "incomparable":
        return lines(pair, verdict) + beyond
    return _explained(pair, verdict, theirs.ledger, explain) + beyond


def _explained(pair: str, verdict: Verdict, target: Ledger, explain: Explain) -> list[str]:
    """The divergence and what it comes from; where that isn't known, how the two go on."""
    deadline = time.monotonic() + PATIENCE

    def on_step(_step: int) -> None:
        if time.monotonic() > deadline:
            raise OutOfPatience

    try:
        explanation = explain(target, on_step)
    except OutOfPatience:
        proven = False
        text = [sentence(pair, verdict), f"not explained: the search ended after {PATIENCE:g} s"]
    else:
        proven = explanation.proven
        text = [f"diverged: {pair} part at step {verdict.step}, link {verdict.link}"]
        text += words(explanation)
    text += [note for note in verdict.notes if note not in text]
    if not proven and len(verdict.curve) > 1:
        text += [curve_title(verdict.curve), curve(verdict.curve)]
    return text


def _beyond(name: str, steps: int) -> str:
    return (
        f"{name} went on after step {steps}, the recipe's last, and was stopped there; "
        "num_training_steps says it, and train_dataloader ends with it"
    )


def _unequal_scores(pair: str, ours: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """Scores of an evaluation that the ledger doesn't show, or computed in another way."""
    unequal = [
        f"{score}: {ours[score]:.9g} and {theirs[score]:.9g}"
        for score in sorted(ours.keys() & theirs.keys())
        if ours[score] != theirs[score]
    ]
    if not unequal:
        return []
    return [f"diverged: {pair} are equal in every step, but not in their scores: {unequal[0]}"]
