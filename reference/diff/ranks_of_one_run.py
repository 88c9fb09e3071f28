"""The ranks of one run, held against each other: those that should be equal, and where they part.

    python -m reference diff FOLDER

`replicas.py` has the rule by which two ranks should be equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reference.diff.evidence import LackingRanks
from reference.diff.notes import Note
from reference.diff.ranks_side_by_side import RanksSideBySide, Source
from reference.diff.replica_notes import EndsEarly, NoReplicas, OtherLengths, RanksPart, Why
from reference.diff.replica_text import EACH_ALONE, parting_text
from reference.diff.replicas import Parting, Replicas
from reference.diff.sides import Sides
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import in_words
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.link_table import LINKS
from reference.ledger.record import Record
from reference.ledger.steps import open_ledger

ONE_RUN = Sides("the run", "the run", "the run", "the run")
READ_AT_THE_END = 1 << 28  # bytes of all ledgers, which take about ten seconds to be read
SHOWN = 4  # ranks that have no ledger
MOST = 1 << 16  # ranks that a header may speak of; an edited one may name any number


@dataclass(frozen=True)
class Held:
    """What the ranks of one run are to each other.

    Attributes:
        partings: Of each set of replicas where the first part, if they do.
        sets: The sets of replicas, of two ranks and more.
        steps: How many steps the replicas were held against each other, at least.
        notes: What else is to be said of them.
        early: The ranks whose ledger has no whole end.
    """

    partings: tuple[RanksPart, ...]
    sets: tuple[tuple[int, ...], ...]
    steps: int
    notes: tuple[Note, ...]
    early: tuple[int, ...]

    @property
    def each_alone(self) -> bool:
        """Whether all began as one model, and none ever shared anything with another."""
        whys = [note.why for note in self.notes if isinstance(note, NoReplicas)]
        return not self.sets and bool(whys) and all(why is Why.ALONE for why in whys)


def diff_ranks_of(folder: Path) -> Verdict:
    """The verdict on the ranks of one run.

    Args:
        folder: The run's folder, with the ledgers of two ranks or more.

    Returns:
        `diverged` where replicas part, `identical` where none do, `incomparable` where there are
        none, or a ledger is missing or cut off.

    Raises:
        InputError: The folder has no two ledgers, or one of them is damaged.
    """
    ledgers = find_ledgers(folder)
    if len(ledgers) < 2:
        gone = _missing(ledgers) if folder.is_dir() else ()
        if gone:
            ranks = ", ".join(map(str, gone[:SHOWN])) + ", ..." * (len(gone) > SHOWN)
            raise InputError(
                f"{folder}: holds the ledger of rank {min(ledgers)} alone, none of rank {ranks}; "
                "copy the others into it, or give B, the run that it is compared with"
            )
        raise InputError(
            f"required: B, the run that {folder} is compared with; alone stands only the folder of "
            "a run of several processes"
        )
    held = hold(ledgers)
    lacking = LackingRanks(_missing(ledgers), ())
    verdict = _verdict(held, lacking)
    remarks = verdict.remarks
    if lacking.any and verdict.reason is not Reason.MISSING_RANKS:
        remarks = (*remarks, lacking)
    return in_words(replace(verdict, remarks=remarks, every_link=False), ONE_RUN)


def said_after_the_run(folder: Path) -> str:
    """Where ranks of a run part that should be equal, or that none shares anything; else ''.

    Reading is left to `diff` where it would hold up the end of the run, or where it fails.
    """
    command = f"python -m reference diff {folder}"
    try:
        ledgers = find_ledgers(folder)
        if len(ledgers) < 2:
            return ""
        if sum(path.stat().st_size for path in ledgers.values()) > READ_AT_THE_END:
            return f"the ledgers are large; this holds the ranks against each other: {command}"
        held = hold(ledgers)
    except (InputError, OSError) as error:
        return f"the ranks weren't held against each other ({error}); see {command}"
    if held.each_alone:
        return f"{len(ledgers)} ranks: {EACH_ALONE}; see {command}"
    if not held.partings:
        return ""
    return f"{parting_text(min(held.partings, key=_place))}; see {command}"


def _verdict(held: Held, lacking: LackingRanks) -> Verdict:
    if held.partings:
        part = min(held.partings, key=_place)
        return Verdict(
            "diverged",
            part.step - 1,
            part.step,
            part.link,
            suspects=(part.link,),
            unequal=part.unequal,
            rank=part.ranks[0],
            ranks=len(part.ranks) + len(part.others),
            remarks=(*held.partings, *held.notes),
        )
    ranks = sum(map(len, held.sets))
    said = Verdict("incomparable", held.steps, ranks=ranks, remarks=held.notes)
    if not held.sets:
        alone = Reason.EACH_ALONE if held.each_alone else Reason.NO_REPLICAS
        return replace(said, reason=alone)
    if lacking.any:
        return replace(said, reason=Reason.MISSING_RANKS, evidence=lacking)
    if held.early:
        return replace(said, reason=Reason.CUT_SHORT)
    return replace(said, verdict="identical", reason=Reason.REPLICAS)


def _place(part: RanksPart) -> tuple[int, int]:
    return part.step, LINKS.index(part.link)


def hold(ledgers: Mapping[int, Source], side: int | None = None) -> Held:
    """Holds all ranks of a run against each other.

    Args:
        ledgers: A rank -> its ledger.
        side: Of which of two runs they are.

    Raises:
        InputError: A ledger is damaged; the message names file, row and field.
    """
    left = sorted(ledgers)
    partings: list[RanksPart] = []
    sets: list[tuple[int, ...]] = []
    notes: list[Note] = []
    steps: list[int] = []
    reading = RanksSideBySide(ledgers)
    while len(left) > 1:
        first, *others = left
        pairs = reading.pairs(first, others)
        alike = [rank for rank in others if pairs[rank].are_replicas]
        left = [rank for rank in others if rank not in alike]
        if alike:
            sets.append((first, *alike))
            steps.append(min(pairs[rank].steps for rank in alike))
            part = _parting(first, {rank: pairs[rank].parting for rank in alike}, side)
            partings += [part] if part is not None else []
        else:
            notes += _why_not(first, others, pairs, reading.counts)
    idle = tuple(rank for rank, count in reading.counts.items() if not count)
    notes += [NoReplicas(idle, idle[0], Why.NO_STEPS)] if idle else []
    counts = [reading.counts[rank] for each in sets for rank in each]
    if counts and min(counts) < max(counts):
        notes.append(OtherLengths(min(counts), max(counts)))
    early = tuple(sorted(reading.early))
    notes += [EndsEarly(early)] if early else []
    return Held(tuple(partings), tuple(sets), min(steps, default=0), tuple(notes), early)


def _parting(first: int, found: Mapping[int, Parting | None], side: int | None) -> RanksPart | None:
    """Which of these replicas part first; the odd one is named, where most are alike."""
    parted = {rank: each for rank, each in found.items() if each is not None}
    if not parted:
        return None
    at = min(parted, key=lambda rank: (parted[rank].step, LINKS.index(parted[rank].link), rank))
    where = parted[at].step, parted[at].link
    odd = tuple(rank for rank, each in parted.items() if (each.step, each.link) == where)
    others = tuple(rank for rank in (first, *found) if rank not in odd)
    if len(odd) > 1 and others == (first,) and len({parted[r].hashes[1] for r in odd}) == 1:
        odd, others = others, odd  # all but the first one are alike
    return RanksPart(side, odd, others, (first, at), *where, parted[at].unequal)


def _why_not(
    first: int, others: list[int], pairs: Mapping[int, Replicas], counts: Mapping[int, int]
) -> list[NoReplicas]:
    reasons: dict[Why, list[int]] = {}
    for rank in others:
        if counts[first] and counts[rank]:
            reasons.setdefault(pairs[rank].why_not, []).append(rank)
    return [NoReplicas(tuple(ranks), first, why) for why, ranks in reasons.items()]


def _missing(ledgers: Mapping[int, Source]) -> tuple[int, ...]:
    """The ranks that the headers count, and that have no ledger."""
    counted = max(processes_of(open_ledger(ledger)[0]) for ledger in ledgers.values())
    return tuple(sorted({*range(counted)} - ledgers.keys()))


def processes_of(header: Record) -> int:
    """How many processes a run had, by a header of it: 1 where it doesn't say."""
    count = header.get("world_size")
    return min(count, MOST) if type(count) is int else 1
