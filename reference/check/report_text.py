"""What an examination says: in lines, or as one JSON object."""

from collections.abc import Sequence

from reference.check.examination import Examination, Found
from reference.check.finding import Level
from reference.ledger.link_table import OF_NAME
from reference.messages import json_object, plain

VERSION = 1  # of the JSON object
CLEAN, FOUND = 0, 1  # exit codes


def exit_code(examination: Examination) -> int:
    """1 where something is wrong or likely; what is only to be looked at is no failure."""
    return FOUND if examination.is_serious else CLEAN


def lines(examination: Examination) -> list[str]:
    """The findings, the most serious first, each with its evidence and what to do."""
    said = [line for found in examination.found for line in _of_finding(found)]
    steps = f"{examination.steps} step{'s' * (examination.steps != 1)}"
    counted = [
        f"{count} {level.word}"
        for level in Level
        if (count := sum(each.level == level for each in examination.found))
    ]
    what = ", ".join(counted) if counted else "nothing found"
    said.append(f"{what} in {steps}; looked at: {links_of(examination.looked_at)}")
    for why, names in _by_reason(examination.unseen).items():
        said.append(f"not seen: {'; '.join(names)}: {why}")
    if examination.ended_as_asked:
        said.append(f"the run was ended after step {examination.steps}, as --until asks")
    elif not examination.whole:
        said.append("the run has no whole end: it failed, was stopped, or goes on")
    return said


def links_of(looked_at: Sequence[str]) -> str:
    """The links in which something was looked at, as a step has them; `--json` has what."""
    links = {each.partition(": ")[0] for each in looked_at}
    return ", ".join(link for link in OF_NAME if link in links)


def _by_reason(unseen: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, why in unseen:
        reasons.setdefault(why, []).append(name)
    return reasons


def _of_finding(found: Found) -> list[str]:
    finding = found.finding
    ranks = ", ".join(map(str, found.ranks))
    where = f" (rank{'s' * (len(found.ranks) > 1)} {ranks})" if found.ranks else ""
    return [
        f"{found.level.word}: {finding.name}: {finding.claim}{where}",
        f"  {plain(found.evidence.words)}",
        f"  do: {finding.remedy}",
    ]


def json_line(run: str, examination: Examination) -> str:
    """The same as one JSON object, in a line."""
    return json_object(
        {
            "version": VERSION,
            "run": run,
            "steps": examination.steps,
            "complete": examination.whole,
            "findings": [
                {
                    "name": each.finding.name,
                    "level": each.level.word,
                    "claim": each.finding.claim,
                    "evidence": each.evidence.words,
                    "steps": list(each.evidence.steps),
                    "values": dict(each.evidence.values),
                    "remedy": each.finding.remedy,
                    **({"ranks": list(each.ranks)} if each.ranks else {}),
                }
                for each in examination.found
            ],
            "looked_at": list(examination.looked_at),
            "not_seen": dict(examination.unseen),
        }
    )
