"""What a divergence most likely comes from, as far as the two ledgers tell."""

from collections.abc import Callable, Iterator

from reference.diff.causes.batches import batch_causes
from reference.diff.causes.case import Case
from reference.diff.causes.clips import clip_causes
from reference.diff.causes.evaluations import evaluation_causes
from reference.diff.causes.gradients import gradient_causes, of_another_loss
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.causes.modes import mode_causes
from reference.diff.causes.optimizers import optimizer_causes
from reference.diff.causes.outputs import (
    BEFORE,
    forward_causes,
    generator_causes,
    inside_the_model,
    told_causes,
)
from reference.diff.causes.rates import rate_causes
from reference.diff.causes.weights import update_causes, weight_causes
from reference.diff.unequal import HARD
from reference.ledger.link_table import METRICS

MOST = 5

OF_LINK: dict[str, Callable[[Case], Iterator[LikelyCause]]] = {
    "batch": batch_causes,
    "rng": generator_causes,
    "mode": mode_causes,
    "weights": weight_causes,
    "forward": forward_causes,
    "gradient": gradient_causes,
    "clip": clip_causes,
    "optimizer": optimizer_causes,
    "schedule": rate_causes,
    "update": update_causes,
    METRICS: evaluation_causes,
}
# Of these the first says it, and what a later rule says follows from it.
ONE_IS_ENOUGH = ("batch", "clip", "rng", "schedule", "weights")
# Where modules, or their arguments, are set otherwise, that is why.
TOLD_FIRST = ("forward", METRICS)
FROZEN_KIND = "frozen"


def likely_causes(case: Case) -> list[LikelyCause]:
    """The causes of one divergence, the likeliest first; none where nothing is known."""
    own = list(OF_LINK[case.link](case))
    own = own[:1] if case.link in ONE_IS_ENOUGH else own
    told = list(told_causes(case))
    fresh = [each for each in told if not each.words.endswith(BEFORE)]
    stale = [each for each in told if each.words.endswith(BEFORE)]
    found = _in_order(case, own, fresh)
    return [*(found or _left(case)), *stale][:MOST]


def _in_order(case: Case, own: list[LikelyCause], fresh: list[LikelyCause]) -> list[LikelyCause]:
    """What the link tells, and what modules were told otherwise in this step."""
    soft = all(u.weight != HARD for u in case.unequal())  # it matters by what follows alone
    if case.link == "update" and fresh:
        return fresh
    if case.link in TOLD_FIRST or (case.link == "batch" and soft):
        return [*fresh, *own]
    frozen = [each for each in fresh if each.kind == FROZEN_KIND]
    return [*frozen, *own, *(each for each in fresh if each not in frozen)]


def _left(case: Case) -> list[LikelyCause]:
    """Where all before the link is equal, what stands between."""
    alone = all(u.link == case.link or u.weight != HARD for u in case.divergence.unequal)
    if not alone or any(u.words for u in case.unequal()):
        return []
    if case.link == "gradient":
        return [of_another_loss(case)]
    return [inside_the_model()] if case.link == "forward" else []
