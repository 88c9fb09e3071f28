"""Runs of several processes: each rank's ledgers compared, and one verdict made of theirs.

    torchrun --nproc_per_node 2 -m reference observe --run-dir A train.py
    python -m reference diff A B

The rank that parts first is named: at the smallest step, then in the first link, then the lowest.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

from reference.diff.evidence import LackingRanks
from reference.diff.notes import Note, OneRankAlone, OnRank, OtherRanks
from reference.diff.ranks_of_one_run import hold, processes_of
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import in_words
from reference.ledger.link_table import LINKS, METRICS
from reference.ledger.reader import Ledger
from reference.ledger.record import Record
from reference.ledger.steps import open_ledger

Source = Ledger | Path
Ranks = Mapping[int, Source]  # a rank -> its ledger
Compare = Callable[[int, Source, Source], Verdict]

WORST_FIRST = ("diverged", "incomparable", "identical")
_ORDER = {link: place for place, link in enumerate((*LINKS, METRICS))}
NO_STEPS = Reason.NO_STEPS
AFTER_THE_LAST_STEP = (
    Reason.CHANGED_WEIGHTS,
    Reason.CHANGED_BUFFERS,
    Reason.CHANGED_OPTIMIZER,
)


def diff_ranks(left: Ranks, right: Ranks, compare: Compare) -> Verdict:
    """The verdict on two runs of one or several processes.

    Args:
        left: The first run's ledgers.
        right: The second run's.
        compare: Gives the verdict on one rank, by its number and both of its ledgers.

    Returns:
        That of the rank that parts first; `identical` where every rank is, and neither run lacks
        the ledger of a rank that the other has, or that its own headers count.
    """
    lacking = _lacking(left, right)
    common = sorted(left.keys() & right.keys())
    verdicts = {rank: _verdict(rank, left[rank], right[rank], compare) for rank in common}
    if not lacking.any and len(verdicts) == 1:
        return verdicts[common[0]]
    if lacking.any and all(v.step is None for v in verdicts.values()):
        said, rank = _lacks(verdicts, lacking), None
    else:
        rank = min(verdicts, key=lambda each: (*place(verdicts[each]), each))
        said = verdicts[rank]
        if said.verdict == "identical":
            rank = None
    remarks = [*_remarks(verdicts), *_others(verdicts, rank), *_parted(left, right)]
    if lacking.any and said.reason is not Reason.MISSING_RANKS:
        remarks.append(lacking)
    whole = all(v.every_link for v in verdicts.values())
    if said.verdict == "identical":
        said = _of_those_that_train(verdicts)
    return in_words(
        replace(
            said, rank=rank, ranks=len(verdicts), remarks=tuple(remarks), every_link=whole, notes=()
        )
    )


def _parted(left: Ranks, right: Ranks) -> list[Note]:
    """Where the ranks of one run part that should be equal; said of each run by itself."""
    several = [(side, ranks) for side, ranks in enumerate((left, right)) if len(ranks) > 1]
    return [part for side, ranks in several for part in hold(ranks, side).partings]


def _lacks(verdicts: Mapping[int, Verdict], lacking: LackingRanks) -> Verdict:
    """What is there is equal, or can't be compared: the ledger that isn't there is the reason."""
    steps = min((v.steps for v in verdicts.values() if v.steps), default=0)
    return Verdict("incomparable", steps, reason=Reason.MISSING_RANKS, evidence=lacking)


def place(verdict: Verdict) -> tuple[int, float, bool, int]:
    """By which the worst verdict is the least, and of several divergences the first."""
    step = inf if verdict.step is None else verdict.step
    after = verdict.reason in AFTER_THE_LAST_STEP
    return WORST_FIRST.index(verdict.verdict), step, after, _ORDER.get(verdict.link or "", 0)


def _verdict(rank: int, left: Source, right: Source, compare: Compare) -> Verdict:
    """On one rank. One that trains nothing in either run, but serves data, say, is the same."""
    verdict = compare(rank, left, right)
    if verdict.reason is NO_STEPS and all(map(_trains_nothing, (left, right))):
        return replace(verdict, verdict="identical", reason=None)
    return verdict


def _of_those_that_train(identical: Mapping[int, Verdict]) -> Verdict:
    """The verdict of the fewest steps; where no rank has any, there is nothing to be identical."""
    training = [v for v in identical.values() if v.steps]
    return min(training, key=lambda v: v.steps, default=Verdict("incomparable", reason=NO_STEPS))


def _trains_nothing(source: Source) -> bool:
    """Whether a ledger comes to its end without a step."""
    _, groups = open_ledger(source)
    end: Record | None = None
    for group in groups:
        if group.step is not None:
            return False
        end = group.end or end
    return end is not None and bool(end["complete"])


def _lacking(left: Ranks, right: Ranks) -> LackingRanks:
    """The ranks without a ledger, though the other run has one, or a header counts them."""
    counted = max(_processes(ledger) for ranks in (left, right) for ledger in ranks.values())
    ranks = {*left, *right, *range(counted)}
    first, second = (tuple(sorted(ranks - have.keys())) for have in (left, right))
    return LackingRanks(first, second)


def _processes(source: Source) -> int:
    """How many processes a ledger's run had, as its header says."""
    header, _ = open_ledger(source)
    return processes_of(header)


def with_unread_ranks(verdict: Verdict, left: Record, right: Record) -> Verdict:
    """A verdict on one ledger of each run, with a note where a header counts more of them."""
    counts = enumerate(map(processes_of, (left, right)))
    unread = [OneRankAlone(side, count) for side, count in counts if count > 1]
    return in_words(replace(verdict, remarks=(*verdict.remarks, *unread[:1])))


def _remarks(verdicts: Mapping[int, Verdict]) -> list[Note]:
    """What must be known beside each rank's verdict; once where it is the same for all."""
    of_all = [v.remarks for v in verdicts.values()]
    shared = [
        note for note in (of_all[0] if of_all else ()) if all(note in each for each in of_all)
    ]
    own = [OnRank(rank, n) for rank, v in verdicts.items() for n in v.remarks if n not in shared]
    return [*shared, *own]


def _others(verdicts: Mapping[int, Verdict], named: int | None) -> list[OtherRanks]:
    """What is to be said of the ranks beside the one that is named; those of one verdict once."""
    if named is None:
        return []
    alike: dict[tuple[str, int | None, str | None], list[int]] = {}
    for rank, v in verdicts.items():
        if rank != named:
            alike.setdefault((v.verdict, v.step, v.link), []).append(rank)
    return [OtherRanks(tuple(ranks), *said) for said, ranks in alike.items()]
