"""Two runs compared by tolerance, which is never a guess: two other runs measured it.

    python -m reference diff A B --envelope C D

C and D are two runs of the same thing that can't be equal to the bit, as on another number of
processes. As far apart as they are by a step, in loss and in the norm of the gradient, A and B may
be. What a machine is told (batches, hyper-parameters, learning rates) has to be equal all the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from reference.diff.evidence import Contradiction, Sum
from reference.diff.judgement import one_run_ends
from reference.diff.link_comparators import COMPARATORS
from reference.diff.notes import Envelope
from reference.diff.ranks import Source, diff_ranks
from reference.diff.unequal import HARD, Pair, Unequal
from reference.diff.value_text import unequal_text
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import in_words
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.link_table import COMPUTED, LINKS
from reference.ledger.record import Record, is_newer
from reference.ledger.schema import check
from reference.ledger.steps import open_ledger

TOLD = tuple(link for link in LINKS if link not in COMPUTED)  # to be equal whatever the tolerance
Number = tuple[str, str]  # link and field, as ("gradient", "norm")
Distances = dict[Number, float]


def diff_within(a: Source, b: Source, c: Source, d: Source) -> Verdict:
    """The verdict on `a` and `b` by the envelope of `c` and `d`; `identical` is within it.

    Args:
        a: A ledger, in memory or in a file.
        b: The one that it is compared with.
        c: One of two runs of the same thing, at least as long as `a` and `b`.
        d: The other one.

    Raises:
        InputError: A file isn't a ledger, or the envelope is shorter than the runs or is none.
    """
    allowed: Distances = {}
    steps = 0
    names = _names(a)
    runs = [_Run(source) for source in (a, b, c, d)]
    for x, y, p, q in zip_longest(*(run.steps() for run in runs)):
        if x is None and y is None:
            continue  # the envelope's are read to their ends
        if x is None or y is None:
            counts = (steps, "more") if x is None else ("more", steps)
            return _with_envelope(one_run_ends(steps, counts, ("batch",)), allowed)
        if p is None or q is None:
            raise InputError(
                f"--envelope: ends after {steps} steps; give two runs as long as these"
            )
        _widen(allowed, p, q)
        for unequal in _told_otherwise(p, q, names):
            raise InputError(
                f"--envelope: no two runs of the same thing: {unequal.link}, "
                f"{unequal_text(unequal)}; give others"
            )
        outside = [*_told_otherwise(x, y, names), *_too_far_apart(x, y, allowed)]
        if outside:
            return _diverged(steps, min(outside, key=lambda u: LINKS.index(u.link)), allowed)
        steps += 1
    if not steps:
        return in_words(Verdict("incomparable", reason=Reason.NO_STEPS))
    if any(run.broken for run in runs[2:]):
        raise InputError("--envelope: lines that their end doesn't seal; edited, give others")
    if any(run.broken for run in runs):
        edited = Contradiction([run.broken for run in runs].index(True), steps, "end", Sum.LINES)
        return in_words(
            Verdict("incomparable", steps, reason=Reason.CONTRADICTION, evidence=edited)
        )
    if any(run.newer for run in runs):
        return in_words(Verdict("incomparable", steps, reason=Reason.NEWER_SCHEMA))
    if not all(run.whole for run in runs[:2]):
        return in_words(Verdict("incomparable", steps, reason=Reason.CUT_SHORT))
    return _with_envelope(Verdict("identical", steps, reason=Reason.WITHIN_ENVELOPE), allowed)


def diff_within_ranks(a: Path, b: Path, c: Path, d: Path) -> Verdict:
    """As `diff_within`, of files or runs' folders, each rank by the envelope of the same rank.

    Raises:
        InputError: As there; or a rank has no ledger in the envelope.
    """
    left, right, *envelope = (find_ledgers(given) for given in (a, b, c, d))

    def within(rank: int, x: Source, y: Source) -> Verdict:
        for given, ledgers in zip((c, d), envelope, strict=True):
            if rank not in ledgers:
                raise InputError(
                    f"--envelope: {given}: no ledger of rank {rank}; give two runs of as many "
                    "processes as these"
                )
        return diff_within(x, y, *(ledgers[rank] for ledgers in envelope))

    return diff_ranks(left, right, within)


def apart(a: Source, b: Source) -> dict[str, float]:
    """How far apart two runs of the same thing are at most, over all steps.

    Returns:
        The distance by 'link field', such as 'forward loss'.

    Raises:
        InputError: They were told other things, aren't equally long, or have no number in both.
    """
    names, distances = _names(a), Distances()
    for step, (x, y) in enumerate(zip_longest(_steps(a), _steps(b)), 1):
        if x is None or y is None:
            raise InputError(f"no two runs of the same thing: one ends before step {step}")
        for unequal in _told_otherwise(x, y, names):
            raise InputError(
                f"no two runs of the same thing: step {step}, {unequal.link}, "
                f"{unequal_text(unequal)}"
            )
        _widen(distances, x, y)
    if not distances:
        raise InputError("no step of these runs has a number in both; train at least one step")
    return _by_name(distances)


def _by_name(distances: Distances) -> dict[str, float]:
    return {f"{link} {field}": distance for (link, field), distance in distances.items()}


def _widen(distances: Distances, x: Record, y: Record) -> None:
    """Notes how far apart two steps' numbers are, where that is farther than before."""
    for number, (left, right) in _pairs(x, y).items():
        distances[number] = max(distances.get(number, 0.0), abs(left - right))


def _diverged(steps: int, unequal: Unequal, allowed: Distances) -> Verdict:
    link = unequal.link
    verdict = Verdict("diverged", steps, steps + 1, link, suspects=(link,), unequal=(unequal,))
    return _with_envelope(verdict, allowed)


def _with_envelope(verdict: Verdict, allowed: Distances) -> Verdict:
    """The verdict in words, with a note on how far apart the runs may be."""
    envelope = Envelope(tuple(_by_name(allowed).items()))
    return in_words(replace(verdict, remarks=(envelope,)))


class _Run:
    """A ledger that is read once.

    Attributes:
        newer: It is of a newer schema, which may hold more than is compared.
        whole: It has an end, and its run came to one.
        broken: Its lines aren't those that its end seals.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.newer = self.whole = self.broken = False

    def steps(self) -> Iterator[Record]:
        """Each step's record; after the last one the attributes are known."""
        header, groups = open_ledger(self._source)
        self.newer = is_newer(header)
        for group in groups:
            self.whole = bool(group.end and group.end["complete"])
            self.broken = group.broken
            if group.step is not None:
                yield check(group.step)


def _steps(source: Source) -> Iterator[Record]:
    return _Run(source).steps()


def _names(source: Source) -> list[str]:
    _, groups = open_ledger(source)
    first = next(groups)
    return [name for model in first.models for name, *_ in model["parameters"]]


def _too_far_apart(x: Record, y: Record, allowed: Distances) -> Iterator[Unequal]:
    for (link, field), (left, right) in _pairs(x, y).items():
        # Written so that a number that is none ("nan") is too far apart.
        if not abs(left - right) <= allowed.get((link, field), 0.0):
            yield Unequal(link, field, left, right)


def _told_otherwise(x: Record, y: Record, names: list[str]) -> Iterator[Unequal]:
    """What is unequal of what the machine was told, and so allows no tolerance."""
    for link in TOLD:
        if x.get(link) is not None and y.get(link) is not None:
            unequal = [u for u in COMPARATORS[link](Pair(x, y, names)) if u.weight == HARD]
            yield from unequal
            if unequal:
                return
    rates = [record.get("schedule", {}).get("learning_rate") for record in (x, y)]
    if rates[0] != rates[1]:
        yield Unequal("schedule", "learning_rate", *rates)


def _pairs(x: Record, y: Record) -> dict[Number, tuple[float, float]]:
    """The numbers of a step that both have, with both values."""
    left, right = _numbers(x), _numbers(y)
    return {number: (left[number], right[number]) for number in left if number in right}


def _numbers(record: Record) -> dict[Number, float]:
    """The mean loss of a step's forward passes, and the norms of its gradients."""
    passes = record.get("forward") or []
    losses = [float(p["loss"]) for p in passes if isinstance(p.get("loss"), int | float | str)]
    numbers = {("forward", "loss"): sum(losses) / len(losses)} if losses else {}
    for link in ("gradient", "clip"):
        norm = (record.get(link) or {}).get("norm")
        if norm is not None:
            numbers[link, "norm"] = float(norm)
    return numbers
