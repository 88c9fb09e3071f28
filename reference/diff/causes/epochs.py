"""What comes again in a later epoch: a batch, and so the order; or rows, with new values."""

from collections.abc import Iterator

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.earlier_steps import batch_key, generators
from reference.diff.later_batches import rows_of
from reference.diff.sides import RUNS
from reference.messages import plain

IN_PLACE = (
    ", and no random numbers are drawn between its steps (by the script's own process): its "
    "dataset changes its rows in place"
)


def batch_again(case: Case) -> Iterator[LikelyCause]:
    """A batch that is an earlier one of its run, where the other run's is new."""
    found = [
        own.batches.get(batch_key(record))
        for record, own in zip(case.pair, case.earlier, strict=True)
    ]
    if (found[0] is None) == (found[1] is None):
        return
    side = int(found[0] is None)
    again, new, of_run, step = RUNS[side], RUNS[1 - side], case.earlier[side], found[side] or 0
    held = rows_of(case.pair[1 - side])
    shuffled = bool(held) and held <= case.earlier[1 - side].rows
    begins = f", with which a new epoch (of {case.step - 1} steps) begins"
    epoch = begins if step == 1 and shuffled else ""
    said = f"{again}'s batch of step {case.step} is its own of step {step} again{epoch}"
    there = f"{new} has the same rows in a new order" if shuffled else f"{new}'s is new"
    then, now = of_run.generators.get(step), generators(case.pair[side])
    since = {at: state for at, state in of_run.generators.items() if at >= step}
    if then is None or now is None or set(since.values()) == {now}:  # nothing drew, or all unknown
        yield LikelyCause(
            "batch-again",
            f"{said}, and {there}: {again} has the same order of the data in each epoch",
            f"shuffle anew in each epoch of {again}: sampler.set_epoch(epoch), and no generator "
            "that is seeded alike each time",
        )
    elif then == now:
        yield LikelyCause(
            "batch-again",
            f"{said}, and {there}: {again}'s random generators stand as they did then, so that a "
            "seed is set anew before each epoch",
            f"set the seed once in {again}, before the first epoch",
        )
    else:
        yield LikelyCause(
            "batch-again",
            f"{said}, and {there}: {again}'s order repeats. It isn't drawn from the global "
            f"generators, which stand elsewhere than before step {step}, but from a fixed seed: a "
            "sampler's, or that of a generator made anew",
            f"in {again} call sampler.set_epoch(epoch) at the beginning of each epoch "
            "(DistributedSampler draws from its seed and the epoch's number), or don't make a "
            "seeded generator anew for each",
        )


def rows_changed(case: Case, name: str, left: list[str], right: list[str]) -> Iterator[LikelyCause]:
    """Rows that come again unchanged in one run, where the other's are ones that nobody had."""
    sides = left, right
    had = [sum(r in own.rows for r in rows) for rows, own in zip(sides, case.earlier, strict=True)]
    for side in (0, 1):
        other_side = case.earlier[1 - side]
        known = had[side] == len(sides[side]) and had[1 - side] == 0
        ever = case.earlier[side].rows | case.later.rows[side]
        if known and not any(row in ever for row in sides[1 - side]):
            same, other = RUNS[side], RUNS[1 - side]
            yield LikelyCause(
                "rows-change",
                f"in {same} the rows of {plain(name)} come again as they were (step {case.step} "
                f"has {len(sides[side])} that it had before); in {other} the same rows have new "
                f"values from epoch to epoch{IN_PLACE if other_side.still else ''}",
                f"look for what writes into the dataset's own rows in {other}, and give it a "
                ".copy() (augmentation or normalisation)"
                + ("" if other_side.still else f"; or {same} lacks an augmentation"),
            )
