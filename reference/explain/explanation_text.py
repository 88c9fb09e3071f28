"""An explanation in words."""

from reference.deviations import CATALOGUE
from reference.diff.sides import Sides
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import in_words
from reference.explain.outcome import Outcome
from reference.explain.search import Explanation

REPLAY = Sides("the replay", "the ledger", "the replay and the ledger", "the replay")


def words(explanation: Explanation) -> list[str]:
    """The explanation as lines: the result, each divergence and what it was, the replays."""
    last = explanation.outcome
    lines = [_result(explanation)]
    for before, after in zip(explanation.path, (*explanation.path, last)[1:], strict=True):
        # A guess on the way that the end does without isn't named.
        added = [c for c in last.chosen if c in after.chosen and c not in before.chosen]
        if added:
            lines.append(f"  {_where(before)}")
        for one in added:
            d = one.deviation
            lines.append(f"    {one}: {d.summary}{d.seen_in}")
            lines += [f"    the same run: {twin}" for twin in twins(d.name)]
            if d.name == "total-steps":
                lines.append(f"    if the run was meant to be that long: --max-steps {one.value}")
    if not explanation.proven:
        lines += [f"  {_where(last)}", f"    {_left(explanation)}"]
    replays = f"{explanation.replays} replays, {explanation.steps} steps"
    if explanation.proven:
        every = "every link" if last.verdict.verdict == "identical" else "every link that it has"
        proof = f"the last one equal in {every} of all {last.known_steps} steps"
        lines += [*_verdict(last).notes, f"replayed: {replays}; {proof}"]
    else:
        lines += [*_verdict(last).notes, f"replayed: {replays}", f"next: {_next(explanation)}"]
    return lines


def _verdict(outcome: Outcome) -> Verdict:
    """The verdict in words, in which the first run is the recipe's own, replayed."""
    return in_words(outcome.verdict, REPLAY)


def twins(name: str) -> list[str]:
    """The deviations that always give the same run as this one, so that no ledger tells."""
    return [f"{d.name}: {d.summary}" for d in CATALOGUE.values() if d.same_run_as == name]


def _result(explanation: Explanation) -> str:
    names = "; ".join(map(str, explanation.outcome.chosen))
    v = _verdict(explanation.outcome)
    if explanation.proven and v.verdict != "identical":
        names = (
            f"proven as far as it goes: {names}; "
            if names
            else "as far as it goes the recipe's own run; "
        )
        return f"{names}{v.detail}"
    if explanation.proven and not names:
        return "identical: this is the recipe's own run, with no deviation"
    if explanation.proven:
        return f"proven: {names}"
    if names:
        return f"not explained in full; so far: {names}"
    return "not explained"


def _where(outcome: Outcome) -> str:
    v = _verdict(outcome)
    if v.step is None:
        return v.detail or outcome.failure
    return f"step {v.step}, link {v.link}: {v.detail}"


def _left(explanation: Explanation) -> str:
    """Why the divergence that is left has no name."""
    if not explanation.outcome.decisive:
        return "nothing can be proven by this ledger"
    if explanation.outcome.verdict.verdict == "incomparable":
        return "that may be no deviation at all"
    if explanation.foreign and _only_labels(explanation):
        return "the inputs are this data's, and the labels beside them are others"
    if explanation.foreign and not _other_rows(explanation):
        return (
            f"the labels are this data's, but none of {explanation.foreign} orders and forms of it "
            "gives these inputs"
        )
    if explanation.foreign:
        return (
            f"these batches aren't of this data: none of {explanation.foreign} orders (the usual "
            "seeds among them) and forms of it gives the first one"
        )
    tried = f"{explanation.tried} tried here"
    if explanation.dropped is not None:
        those, v = explanation.dropped
        names = " and ".join(map(str, those))
        tried += f"; with {names} the runs part again at step {v.step}, link {v.link}"
        if not explanation.tried:
            return f"not searched any further ({tried})"
    return f"none of the known deviations gives this ({tried})"


def _other_rows(explanation: Explanation) -> bool:
    """Whether the labels, which no tokenizer changes, are others, or aren't there."""
    return any(u.field == "labels" for u in explanation.outcome.verdict.unequal)


def _only_labels(explanation: Explanation) -> bool:
    """Whether the first batch's inputs are this data's, and just the labels aren't."""
    fields = {u.field for u in explanation.outcome.verdict.unequal if u.link == "batch"}
    return fields == {"labels"}


def _next(explanation: Explanation) -> str:
    """What to do about it."""
    verdict, steps = explanation.outcome.verdict, explanation.outcome.known_steps
    if not explanation.outcome.decisive:
        return "record the whole run again, of the recipe's own model, and explain that ledger"
    if verdict.verdict == "incomparable":
        return "record the run again where the recipe runs: same device, threads and versions"
    if explanation.foreign and _only_labels(explanation):
        return "see where the loop takes its labels from"
    if explanation.foreign and not _other_rows(explanation):
        return "see how the run makes its inputs: tokenizer, truncation, padding, masks"
    if explanation.foreign:
        return (
            "give the ledger's own data with --data and --task; or set a seed in the loop that a "
            "recipe can have (--seed), and record it again"
        )
    if verdict.reason is Reason.ONE_RUN_ENDS:
        return f"if the run is meant to be that long, give --max-steps {steps}"
    return (
        f"see what the loop does at step {verdict.step} for its {verdict.link}, or give the "
        "recipe that it means to follow; `python -m reference deviations` lists what is known"
    )
