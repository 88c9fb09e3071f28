"""An explanation in words, and as JSON: both are made of the same report.

python -m reference explain LEDGER
"""

from dataclasses import asdict

from reference.diff.verdict_text import unequal_as_json
from reference.explain.explanation import Explanation, OwnLength
from reference.explain.report import REPLAY, Named, Parting, Report, Result, make_report
from reference.messages import json_object

JSON_SCHEMA = 1  # of `explain --json`; docs/diff-and-explain.md has its fields


def words(explanation: Explanation) -> list[str]:
    """The explanation as lines: the result, each divergence and what it was, the replays."""
    return lines(make_report(explanation))


def lines(report: Report) -> list[str]:
    """The report as lines of text."""
    said = [] if report.own_length is None else [_length(report.own_length)]
    said.append(sentence(report))
    for parting in report.divergences:
        said.append(f"  {_where(parting)}")
        said += [f"    {line}" for named in parting.deviations for line in _deviation(named)]
        if parting.why is not None:
            said.append(f"    {parting.why}")
            said += [f"    likely cause: {parting.cause}"] if parting.cause else []
    replayed = f"replayed: {report.replays} replays, {report.replayed_steps} steps"
    if report.next is None:
        every = "every link" if report.every_link else "every link that it has"
        replayed += f"; the last one equal in {every} of all {report.steps} steps"
    said += [*report.notes, replayed]
    return said if report.next is None else [*said, f"next: {report.next}"]


def sentence(report: Report) -> str:
    """What the search came to, in a line."""
    names = "; ".join(named.text for named in report.deviations)
    if report.ranks > 1:
        return f"{_of_one(report, names)} (on {report.ranks} processes)"
    return _of_one(report, names)


def _of_one(report: Report, names: str) -> str:
    match report.verdict:
        case Result.IDENTICAL:
            return "identical: this is the recipe's own run, with no deviation"
        case Result.AS_FAR_AS_IT_GOES if not names:
            return f"as far as it goes the recipe's own run; {report.reason}"
        case Result.AS_FAR_AS_IT_GOES:
            return f"{report.verdict}: {names}; {report.reason}"
        case Result.PROVEN:
            return f"{report.verdict}: {names}"
        case Result.IN_PART:
            return f"{report.verdict}; so far: {names}"
        case Result.NOT_EXPLAINED:
            return f"{report.verdict}"


def json_line(ledger: str, explanation: Explanation) -> str:
    """The explanation of a ledger as one JSON object; a number that isn't finite is a word."""
    report = make_report(explanation)
    written = {"schema": JSON_SCHEMA, "ledger": ledger, **asdict(report)}
    for parting, values in zip(written["divergences"], report.divergences, strict=True):
        parting["unequal"] = unequal_as_json(values.unequal, REPLAY)
    return json_object({**written, "sentence": sentence(report)})


def _length(length: OwnLength) -> str:
    option = f"--max-steps {length.steps}"
    if length.told:
        return f"the ledger is of a run of {length.steps} steps, and so is the recipe's ({option})"
    return (
        f"the ledger's run came to its end after {length.steps} steps, and so does the recipe's "
        f"({option}; it says nothing of the length it was meant to have)"
    )


def _where(parting: Parting) -> str:
    if parting.step is None:
        return parting.detail
    rank = "" if parting.rank is None else f"rank {parting.rank}, "
    return f"step {parting.step}, {rank}link {parting.link}: {parting.detail}"


def _deviation(named: Named) -> list[str]:
    seen_in = f" Seen in: {named.seen_in}." if named.seen_in is not None else ""
    said = [f"{named.text}: {named.summary}{seen_in}"]
    said += [f"the same run: {twin.name}: {twin.summary}" for twin in named.same_run]
    if named.name == "total-steps":
        said.append(f"if the run was meant to be that long: --max-steps {named.value}")
    return said
