"""What of a search's path is kept: a deviation may have got further by chance.

A path is a list of replays, each with some deviations more than the one before, and further equal.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from reference.deviations import Chosen
from reference.deviations.clues.seeds import seeds, usual_seeds
from reference.diff.verdict import Verdict
from reference.explain.outcome import Outcome

Path = tuple[Outcome, ...]
# Steps in which a deviation's link came out equal, from which on that is no chance any more.
SURE = 10


def is_seed(chosen: Chosen) -> bool:
    """Whether it is another seed, a guess of which one is as good as another."""
    return chosen.deviation.values_to_try in (seeds, usual_seeds)


def until_contradicted(path: Path) -> Path:
    """The path up to the first deviation that its own end speaks against.

    What got further by a link of one step is no cause if the ledger then parts in that very link:
    a loop that zeroes every second time was no loop that never zeroes.
    """
    last = path[-1]
    if last.proven:
        return path
    for place, (before, after) in enumerate(pairwise(path), 1):
        added = [c for c in after.chosen if c in last.chosen and c not in before.chosen]
        if added and _contradicts(last, before, added):
            return until_contradicted(path[:place])
    return path


def dropped(path: Path, kept: Path) -> tuple[tuple[Chosen, ...], Verdict] | None:
    """The first deviations that aren't kept, and the verdict with them; None if all are kept."""
    if len(kept) == len(path):
        return None
    after = path[len(kept)]
    return tuple(c for c in after.chosen if c not in kept[-1].chosen), after.verdict


def _contradicts(last: Outcome, before: Outcome, added: Sequence[Chosen]) -> bool:
    """Whether the divergence at the end is of what was to explain the one `before`."""
    link, step, end = before.verdict.link, before.verdict.step, last.divergence
    if link is None or step is None or end is None or end.step - step >= SURE:
        return False
    if link == "batch" and end.link == link:
        # A whole batch that came out equal is no chance; but a few labels are alike in many orders.
        return any(map(is_seed, added))
    if end.link == link:
        return end.step > step  # other fields of the same link at the same step are explained
    ours, theirs = (record.get(link) for record in (end.left, end.right))
    return link == "schedule" and None not in (ours, theirs) and ours != theirs


def without_idle(path: Path, run: Callable[[Sequence[Chosen]], Outcome]) -> Path:
    """The path without deviations that its end doesn't need: the cause may overtake a guess.

    Args:
        path: replays, each further equal than the one before.
        run: gives the outcome of a replay with these deviations.
    """
    last = path[-1]
    for idle in last.chosen:
        fewer = tuple(c for c in last.chosen if c is not idle)
        if fewer and run(fewer).progress >= last.progress:
            return without_idle((*path[:-1], run(fewer)), run)
    return path
