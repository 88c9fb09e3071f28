"""Evaluations that come out otherwise."""

from collections.abc import Iterator

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, in_both
from reference.diff.evaluation_differences import ROWS, WEIGHTS
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import COUNT
from reference.ledger.link_table import METRICS
from reference.messages import plain


def evaluation_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first: how it was made, then on what, then what is made of it."""
    unequal = {u.field: u for u in case.unequal(METRICS)}
    if "training" in unequal:
        side = int(not unequal["training"].left)
        yield LikelyCause(
            "evaluation-mode",
            f"{RUNS[side]} evaluates in train mode (dropout on), {RUNS[1 - side]} in eval mode",
            f"call model.eval() in {RUNS[side]} before it evaluates, and train() after it",
        )
    if "autocast" in unequal:
        each = unequal["autocast"]
        yield LikelyCause(
            "evaluation-autocast", f"evaluations compute in {in_both(each.left, each.right)}"
        )
    if COUNT in unequal:
        counts = unequal[COUNT]
        yield LikelyCause(
            "evaluation-rows",
            f"evaluations have different numbers of rows: {in_both(counts.left, counts.right)}",
            "look at drop_last, at rows that padding to equal batches repeats, and at the split",
        )
    for field in unequal:
        if field.startswith(ROWS):
            yield LikelyCause(
                "evaluation-data",
                f"evaluations get different {plain(field)}",
                "look at the split (validation, test or training), and at how it is prepared",
            )
            break
    if WEIGHTS in unequal:
        yield LikelyCause(
            "evaluation-weights",
            f"evaluations are made with different weights, though {FIRST} and {SECOND} are equal "
            "up to here",
            "an average, a best or an older model is evaluated in one of them",
        )
    scores = [f for f in unequal if f not in ("training", "autocast", COUNT, WEIGHTS)]
    both = [r.get(METRICS, {}).get("predictions") for r in case.pair]
    if scores and both[0] == both[1] and len(scores) == len(unequal):
        each = unequal[scores[0]]
        if isinstance(each.left, int | float):
            yield LikelyCause(
                "score",
                f"predictions are equal, the score isn't: {plain(scores[0])} is "
                f"{in_both(each.left, each.right)}",
                "look at how the metric is computed: averaged over batches or over all rows, the "
                "positive class, the average over classes",
            )
