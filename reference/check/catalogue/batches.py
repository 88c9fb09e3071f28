"""Batches: the same again, the same order again, labels that are none, padding."""

from collections import Counter
from itertools import pairwise

from reference.check.finding import Evidence, Finding, Level, count_of, in_steps
from reference.check.step import Step, rows_in
from reference.check.training import Training

FEW = 10  # steps: a look at a few batches may take the same one
TIMES = 3  # that an order comes again, until it is none by chance


def _with_batch(training: Training) -> list[Step]:
    """Those with a batch of their own, and no search along a line on one batch."""
    return [s for s in training.steps if s.keys and not s.clip.get("closure_calls")]


def _only_batch(training: Training) -> int | None:
    """The rows of the batch that all of many steps have; None where there are several."""
    steps = _with_batch(training)
    if len(steps) < FEW or len({step.keys for step in steps}) > 1:
        return None
    return max(rows_in(each) for each in steps[0].batch)


def _evaluated_rows(training: Training) -> int:
    return max((int(e.metrics.get("count", 0)) for e in training.evaluations), default=0)


def same_batch(training: Training) -> Evidence | None:
    """Each step has the same batch, though there is more to learn from."""
    rows = _only_batch(training)
    evaluated = _evaluated_rows(training)
    if rows is None or evaluated <= rows:
        return None
    anew = _begins_anew(training)
    how = "; before each, something draws numbers, as a loader does that begins" if anew else ""
    return Evidence(
        f"all {len(training.steps)} steps have the same batch of {count_of(rows, 'row')}; "
        f"{evaluated} rows are evaluated{how}",
        values={"rows": rows, "evaluated": evaluated},
        is_plain=anew,
    )


def _begins_anew(training: Training) -> bool:
    """Whether numbers are drawn before each step, and not for an evaluation.

    A loader draws one as it begins. Whoever learns one batch on purpose takes it once.
    """
    evaluated = {each.step + 1 for each in training.evaluations}
    later = [step for step in training.steps[1:] if step.number not in evaluated]
    drew = [step for step in later if step.chores.get("drew_before")]
    return len(later) > len(training.steps) / 2 and len(drew) == len(later)


def one_batch(training: Training) -> Evidence | None:
    """Each step has the same batch; it may be all there is."""
    rows = _only_batch(training)
    if rows is None or _evaluated_rows(training) > rows:
        return None
    words = f"all {len(training.steps)} steps have the same batch of {count_of(rows, 'row')}"
    return Evidence(words, values={"rows": rows})


def batch_again(training: Training) -> Evidence | None:
    """Some steps have the batch of the step before, in a run that has others, too."""
    again: list[int] = []
    of = 0
    for steps in training.by_optimizer.values():
        own = [s for s in steps if s.keys and not s.clip.get("closure_calls")]
        of += len(own)
        pairs = pairwise(own)
        again += [step.number for before, step in pairs if before.keys == step.keys]
    if len(again) < 2 or _only_batch(training) is not None or of < FEW:
        return None
    return Evidence(f"{in_steps(again, of)} the batch is that of the step before", again)


def same_within(training: Training) -> Evidence | None:
    """Gradients are accumulated over passes of one batch.

    Two passes over one batch are nothing odd: a step that looks around it first makes them. More
    are for nothing where they give the same outputs: no dropout, no noise. And where all steps have
    one batch, that is said already.
    """
    steps = [s for s in _with_batch(training) if len(s.keys) > 1]
    accumulated = [s for s in steps if s.backward_passes == len(s.keys)]
    same = [s.number for s in accumulated if len(s.keys) > 2 and len(set(s.keys)) == 1]
    if len(same) < 2 or len(same) < len(accumulated) or len({s.keys for s in steps}) == 1:
        return None
    equal = all(output == s.outputs[0] for s in accumulated for output in s.outputs)
    how = ", and give the same outputs" if equal else ""
    passes = accumulated[0].backward_passes
    return Evidence(
        f"{in_steps(same, len(training.steps))} the {passes} batches that are accumulated are one "
        f"and the same{how}",
        same,
        {"passes": passes},
        is_plain=equal,
    )


def same_order(training: Training) -> Evidence | None:
    """The batches come in the same order again and again."""
    steps = _with_batch(training)
    keys = [step.keys for step in steps]
    counts = Counter(keys)
    period = len(counts)
    if period < 2 or len(keys) < TIMES * period or max(counts.values()) > len(keys) / 2:
        return None
    if any(keys[i] != keys[i - period] for i in range(period, len(keys))):
        return None
    return Evidence(
        f"the same {period} batches come in the same order {len(keys) // period} times",
        values={"batches": period, "times": len(keys) // period},
    )


FINDINGS = (
    Finding(
        name="same-batch-always",
        level=Level.LIKELY,
        claim="every step trains on the same batch",
        link="batch: whether one comes again",
        remedy="go through the loader: next(iter(loader)) begins it anew each time; nothing, where "
        "one batch is to be learnt, or holds all rows",
        find=same_batch,
        or_look=True,
    ),
    Finding(
        name="one-batch",
        level=Level.LOOK,
        claim="every step trains on one and the same batch",
        link="batch: whether one comes again",
        remedy="nothing, where it holds all rows; else go through the loader",
        find=one_batch,
    ),
    Finding(
        name="batch-again",
        level=Level.LOOK,
        claim="some steps train on the batch of the step before",
        link="batch: whether one comes again",
        remedy="see where the loop takes its batch, and whether each is meant to be used twice",
        find=batch_again,
    ),
    Finding(
        name="accumulates-one-batch",
        level=Level.LIKELY,
        claim="the accumulated batches are one batch",
        link="batch: whether one comes again",
        remedy="take the next batch for each forward pass that is accumulated; nothing, where each "
        "is another sample of one batch's noise",
        find=same_within,
        or_look=True,
    ),
    Finding(
        name="order-repeats",
        level=Level.LOOK,
        claim="each epoch has the same order",
        link="batch: the order of the epochs",
        remedy="shuffle, with a generator that isn't seeded anew each epoch, and with a "
        "DistributedSampler call set_epoch(epoch)",
        find=same_order,
    ),
)
