"""Why the divergence that is left has no name, and what to do about it, in words."""

from reference.diff.verdict import Reason
from reference.explain.explanation import Explanation


def why_left(explanation: Explanation) -> str:
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


def what_next(explanation: Explanation) -> str:
    """What to do about it."""
    verdict, steps = explanation.outcome.verdict, explanation.outcome.known_steps
    if verdict.reason is Reason.OTHER_MODELS:
        return (
            "give the ledger's own model with --checkpoint, or the ledger of a run of the recipe's"
        )
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
