"""Every finding asked of one run: what was found, what was looked at, what couldn't be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reference.check.finding import Evidence, Finding, Level
from reference.check.reader import read_training
from reference.check.registry import FINDINGS
from reference.check.training import Training
from reference.diff.ranks_of_one_run import hold
from reference.diff.replica_text import parting_text
from reference.ledger.ledger_path import find_ledgers
from reference.messages import plain


@dataclass(frozen=True)
class Found:
    """One finding with its evidence.

    Attributes:
        finding: The entry of the registry.
        evidence: What shows it; of the first of the ranks in which that is as plain as in any.
        ranks: In which ranks it shows; empty in a run of one process.
    """

    finding: Finding
    evidence: Evidence
    ranks: tuple[int, ...] = ()

    @property
    def level(self) -> Level:
        """How sure it is."""
        return self.finding.level_of(self.evidence)


@dataclass(frozen=True)
class Examination:
    """What one run shows.

    Attributes:
        found: The most serious first.
        steps: How many steps were read, of the rank that took the most.
        looked_at: What was looked at, in the order of a step.
        unseen: What couldn't be, each with its reason.
        whole: Whether the run came to its end by itself.
        ended_as_asked: Whether it was asked to end where it did.
    """

    found: tuple[Found, ...]
    steps: int
    looked_at: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]
    whole: bool
    ended_as_asked: bool = False

    @property
    def is_serious(self) -> bool:
        """Whether something is at a level above `look`."""
        return any(each.level < Level.LOOK for each in self.found)


def examine_run(run: Path) -> Examination:
    """Every finding asked of a run.

    Args:
        run: Its folder, or a ledger of it.

    Raises:
        InputError: There is no ledger, or it is damaged; the message names file, row and field.
    """
    ledgers = find_ledgers(run)
    trainings = [read_training(ledger, rank) for rank, ledger in ledgers.items()]
    if len(trainings) > 1:
        first = trainings[0]
        first.others = {training.rank: training for training in trainings[1:]}
        held = hold(ledgers)
        first.partings = [parting_text(part) for part in held.partings]
        first.each_alone = held.each_alone
    return examine(trainings)


def examine(trainings: Sequence[Training], findings: Sequence[Finding] = FINDINGS) -> Examination:
    """Every finding asked of the ranks of a run: one training, where there is one process."""
    found: list[Found] = []
    looked_at: dict[str, None] = {}
    unseen: dict[str, str] = {}
    for finding in findings:
        if finding.across_ranks and len(trainings) == 1:
            continue
        asked = trainings[:1] if finding.across_ranks else trainings
        lacking = [n.lacking for t in asked for n in finding.needs if not n.is_there(t)]
        if lacking:
            unseen.setdefault(finding.link, lacking[0])
            continue
        looked_at[finding.link] = None
        shows = [(t.rank, e) for t in asked if (e := finding.find(t)) is not None]
        if shows:
            ranks = () if len(asked) == 1 else tuple(rank for rank, _ in shows)
            plainest = min(shows, key=lambda show: finding.level_of(show[1]))[1]
            found.append(Found(finding, plainest, ranks))
    unseen.update(_not_recorded(trainings))
    return Examination(
        tuple(sorted(found, key=lambda each: each.level)),
        max(len(training.steps) for training in trainings),
        tuple(looked_at),
        tuple(unseen.items()),
        all(training.whole for training in trainings),
        all(training.ended_as_asked for training in trainings),
    )


def _not_recorded(trainings: Sequence[Training]) -> dict[str, str]:
    """Passes that the ledgers go without."""
    steps = [step for training in trainings for step in training.steps if step.unseen]
    if not steps:
        return {}
    return {"the passes of some steps": f"in {len(steps)} steps, {plain(steps[0].unseen)}"}
