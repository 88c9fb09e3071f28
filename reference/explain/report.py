"""An explanation as values: what the command prints, as text or as JSON, is made of these.

Each field is described in docs/diff-and-explain.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reference.deviations import EVERY, Chosen, Deviation
from reference.deviations.citations import NO_REPORT
from reference.diff.sides import Sides
from reference.diff.unequal import Unequal
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import in_words
from reference.explain.explanation import Explanation, OwnLength
from reference.explain.outcome import Outcome
from reference.explain.remainder import what_next, why_left

REPLAY = Sides("the replay", "the ledger", "the replay and the ledger", "the replay")


class Result(StrEnum):
    """What a search came to, in the words that its first line begins with."""

    IDENTICAL = "identical"  # the recipe's own run
    PROVEN = "proven"
    AS_FAR_AS_IT_GOES = "proven as far as it goes"  # the ledger lacks its end, or some link
    IN_PART = "not explained in full"
    NOT_EXPLAINED = "not explained"


@dataclass(frozen=True)
class Twin:
    """Another deviation that always gives the very same run, so that no ledger tells."""

    name: str
    summary: str


@dataclass(frozen=True)
class Named:
    """A deviation that is switched on in the last replay; `text` is its name and value."""

    name: str
    value: Any
    text: str
    summary: str
    seen_in: str | None
    same_run: tuple[Twin, ...]


@dataclass(frozen=True)
class Parting:
    """A divergence of the replay and the ledger, and what takes it away; the last may have none."""

    step: int | None
    link: str | None
    detail: str
    unequal: tuple[Unequal, ...]
    deviations: tuple[Named, ...] = ()
    why: str | None = None  # nothing is known that takes it away
    cause: str = ""  # what it most likely comes from, as far as the two ledgers tell
    rank: int | None = None  # of a run of several processes


@dataclass(frozen=True)
class Report:
    """All that is said of an explanation.

    Attributes:
        verdict: what it came to.
        provable: the ledger is of the recipe's model, unedited, and has the links that prove.
        deviations: those that are switched on in the last replay.
        divergences: where the replays part from the ledger, the recipe's own first.
        reason: why it is proven only as far as the ledger goes, in words.
        steps: how many steps the ledger has.
        equal_steps: how many of them came out equal in the last replay.
        every_link: every link of them was compared.
        notes: what a reader must know beside it, in words.
        replays: how many replays there were.
        replayed_steps: how many steps they trained, in all.
        next: what to do about what is left, in words.
        own_length: how long the recipe's run was made, where the ledger said so.
        ranks: how many processes the run has.
    """

    verdict: Result
    provable: bool
    deviations: tuple[Named, ...]
    divergences: tuple[Parting, ...]
    reason: str | None
    steps: int
    equal_steps: int
    every_link: bool
    notes: tuple[str, ...]
    replays: int
    replayed_steps: int
    next: str | None
    own_length: OwnLength | None
    ranks: int = 1


def make_report(explanation: Explanation) -> Report:
    """The explanation as values."""
    last = explanation.outcome
    v = _verdict(last)
    verdict = _result(explanation)
    partings = _partings(explanation)
    if not explanation.proven:
        partings.append(_parting(last, why=why_left(explanation)))
    return Report(
        verdict=verdict,
        provable=last.decisive,
        deviations=tuple(map(_named, last.chosen)),
        divergences=tuple(partings),
        reason=v.detail if verdict is Result.AS_FAR_AS_IT_GOES else None,
        steps=last.known_steps,
        equal_steps=v.steps,
        every_link=v.verdict == "identical",
        notes=v.notes,
        replays=explanation.replays,
        replayed_steps=explanation.steps,
        next=None if explanation.proven else what_next(explanation),
        own_length=explanation.own_length,
        ranks=v.ranks,
    )


def _result(explanation: Explanation) -> Result:
    outcome = explanation.outcome
    if not explanation.proven:
        return Result.IN_PART if outcome.chosen else Result.NOT_EXPLAINED
    if outcome.verdict.verdict != "identical":
        return Result.AS_FAR_AS_IT_GOES
    return Result.PROVEN if outcome.chosen else Result.IDENTICAL


def _partings(explanation: Explanation) -> list[Parting]:
    """The divergences that were taken away, with the deviations that did it."""
    last, path = explanation.outcome, explanation.path
    partings = []
    for before, after in zip(path, (*path, last)[1:], strict=True):
        # A guess on the way that the end does without isn't named.
        added = [c for c in last.chosen if c in after.chosen and c not in before.chosen]
        if added:
            partings.append(_parting(before, tuple(map(_named, added))))
    return partings


def _parting(
    outcome: Outcome, deviations: tuple[Named, ...] = (), why: str | None = None
) -> Parting:
    v = _verdict(outcome)
    detail = v.detail if v.step is not None else v.detail or outcome.failure
    return Parting(v.step, v.link, detail, v.unequal, deviations, why, v.cause, outcome.rank)


def _named(chosen: Chosen) -> Named:
    d = chosen.deviation
    seen_in = None if d.citation == NO_REPORT else d.citation
    return Named(d.name, chosen.value, str(chosen), d.summary, seen_in, tuple(_twins(d)))


def _twins(deviation: Deviation) -> list[Twin]:
    return [Twin(d.name, d.summary) for d in EVERY.values() if d.same_run_as == deviation.name]


def _verdict(outcome: Outcome) -> Verdict:
    """The verdict in words, in which the first run is the recipe's own, replayed."""
    return in_words(outcome.verdict, REPLAY)
