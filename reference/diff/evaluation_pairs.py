"""Which evaluation of one run is which of the other's, where one evaluates more often.

Evaluating more often is no other training: what only one run evaluated is counted, not compared.
"""

from collections.abc import Sequence
from dataclasses import replace

from reference.diff.divergence import Divergence
from reference.diff.evaluation_differences import ROWS, WEIGHTS
from reference.diff.link_comparators import metrics
from reference.diff.unequal import COUNT, HARD, Pair, Unequal
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

MOST = 64  # evaluations at one step that are looked through for the pairs that fit best


def pair_by_model(left: Sequence[Record], right: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Pairs of the evaluations at one step: the same ones first, whatever order they were made in.

    Of the others those of models that train, and each other model's. One that draws random numbers
    holds their generator's state, so that the order in which such are made isn't left out.
    """
    pairs, left, right = _same(left, right)
    ours, theirs = _of_models(left), _of_models(right)
    for model in [name for name in ours if name in theirs]:
        pairs += pair_evaluations(ours.pop(model), theirs.pop(model))
    # Two names for one model, in the order of their first calls.
    for one, other in zip(ours.values(), theirs.values(), strict=False):
        pairs += pair_evaluations(one, other)
    return pairs


def _same(
    left: Sequence[Record], right: Sequence[Record]
) -> tuple[list[tuple[Record, Record]], list[Record], list[Record]]:
    """Pairs of equal evaluations, and what is left of both sides, in order."""
    if max(len(left), len(right)) > MOST:
        return [], list(left), list(right)
    pairs, ours, theirs = [], [], list(right)
    for each in left:
        own = _in_any_order(each)
        fits = [n for n, other in enumerate(theirs) if _in_any_order(other) == own]
        if fits:
            pairs.append((each, theirs.pop(fits[0])))
        else:
            ours.append(each)
    return pairs, ours, theirs


def _in_any_order(evaluation: Record) -> Record:
    """What it is, whatever came before it: inputs may be called computed because of that."""
    metrics = evaluation[METRICS]
    return {name: value for name, value in metrics.items() if name not in ("computed", "sets")}


def of_equal_counts(pair: tuple[Record, Record]) -> tuple[tuple[Record, Record], list[int]]:
    """Two evaluations, up to where one begins again, if they are of equally many rows only there.

    The scores stay: a ledger has those of the whole stretch, and what a run says of itself counts.

    Returns:
        The pair; and the sides that evaluate more, 0 or 1, which is no other training.
    """
    left, right = pair
    for ours in (left[METRICS], *left[METRICS].get("earlier", ())):
        for theirs in (right[METRICS], *right[METRICS].get("earlier", ())):
            if ours["count"] == theirs["count"]:
                more = [n for n, cut in enumerate((ours, theirs)) if cut is not pair[n][METRICS]]
                return (_up_to(left, ours), _up_to(right, theirs)), more
    return pair, []


def _up_to(whole: Record, cut: Record) -> Record:
    return {**whole, METRICS: {**cut, "scores": whole[METRICS]["scores"]}}


def _of_models(evaluations: Sequence[Record]) -> dict[str, list[Record]]:
    """By model; those of models that train are together: two runs may have two names for them."""
    models: dict[str, list[Record]] = {}
    for each in evaluations:
        name = "" if each.get("trained", True) else str(each.get("model", ""))
        models.setdefault(name, []).append(each)
    return models


def of_evaluation(
    unequal: list[Unequal], pair: tuple[Record, Record], *, at_end: bool
) -> Divergence:
    """Where two runs part whose evaluations after a step are unequal.

    A model that doesn't train (a reference, a teacher) is no evaluation: what it gives goes into
    the next step. Then that step is named, the link that is unequal of it, and the model; unless
    no step comes after it in either run (`at_end`).
    """
    step, model = pair[0]["step"], pair[0].get("model")
    if at_end or pair[0].get("trained", True) or pair[1].get("trained", True):
        return Divergence(step, METRICS, unequal, *pair)
    links = [_link(u.field) for u in unequal]
    first = next(link for link in ("batch", "mode", "weights", "forward") if link in links)
    renamed = [replace(u, link=link) for u, link in zip(unequal, links, strict=True)]
    renamed.sort(key=lambda u: u.link != first)
    renamed[0] = replace(renamed[0], field=f"{model}, which doesn't train: {renamed[0].field}")
    return Divergence(step + 1, first, renamed, *pair)


def _link(field: str) -> str:
    """The link of a step that what is unequal in an evaluation would be of."""
    if field in ("training", "autocast"):
        return "mode"
    if field == COUNT or field.startswith(ROWS):
        return "batch"
    return "weights" if field == WEIGHTS else "forward"


def pair_evaluations(
    left: Sequence[Record], right: Sequence[Record]
) -> list[tuple[Record, Record]]:
    """Pairs of the evaluations at one step, in their order; the longer side has some left over."""
    if len(left) == len(right) or max(len(left), len(right)) > MOST:
        return list(zip(left, right, strict=False))
    if len(left) > len(right):
        return [(ours, theirs) for theirs, ours in pair_evaluations(right, left)]
    # best[j]: the fewest differences of all of `left` so far with the first j of `right`, and the
    # places in `right` that give them.
    best: list[tuple[int, list[int]] | None] = [(0, [])] * (len(right) + 1)
    for ours in left:
        following: list[tuple[int, list[int]] | None] = [None]
        for j, theirs in enumerate(right):
            before = best[j]
            taken = before and (before[0] + _differences(ours, theirs), [*before[1], j])
            ways = [way for way in (following[j], taken) if way is not None]
            following.append(min(ways, key=lambda way: way[0], default=None))
        best = following
    _, places = best[-1] or (0, [])
    return [(ours, right[j]) for ours, j in zip(left, places, strict=True)]


def _differences(ours: Record, theirs: Record) -> int:
    """How much speaks against these two being the same evaluation."""
    same_rows = ours["metrics"].get("batches") == theirs["metrics"].get("batches")
    return sum(u.weight == HARD for u in metrics(Pair(ours, theirs))) + 2 * (not same_rows)
