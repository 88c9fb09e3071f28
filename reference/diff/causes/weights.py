"""Unequal weights before a step, and updates that are unequal by themselves."""

from collections.abc import Iterator

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, some
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import Things
from reference.diff.weight_causes import like_another, weights_were
from reference.messages import plain

ALL = 0.9  # of the tensors: zeros and ones are equal whatever a model is drawn with


def weight_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    updates = case.earlier[0].updates, case.earlier[1].updates
    were = weights_were(case.pair, updates, case.step)
    if were is not None:
        run, other = RUNS[were[0]], RUNS[1 - were[0]]
        yield LikelyCause(
            "weights-of-before",
            f"{run}'s weights before step {case.step} are those that it had after step {were[1]}, "
            "and not what its last update left",
            f"something puts old weights back in {run}: load_state_dict, a best model, an average "
            f"or a copy; {other} doesn't",
        )
        return
    yield from _like_another(case)
    yield from _buffers(case)
    names = _unequal_names(case)
    if case.step > 1:
        yield LikelyCause(
            "weights-changed",
            f"after step {case.step - 1}, which left equal weights, {some(names) or 'weights'} "
            f"{'was' if len(names) == 1 else 'were'} changed by something that is no optimizer's "
            "step, in one run or otherwise in the other",
            "look at what writes weights between steps: averages, clamping, load_state_dict, an "
            "update by hand, a compiled optimizer.step",
        )
    elif names and len(names) < ALL * len(case.names):
        yield LikelyCause(
            "weights-in-part",
            f"the models begin with different weights in {len(names)} of {len(case.names)} "
            f"parameters: {some(names)}; the rest is equal",
            "a head or new layers that are initialised with another seed, in another way, or not "
            "loaded from the checkpoint",
        )
    else:
        yield LikelyCause(
            "weights",
            f"the models begin with different weights ({len(names)} of {len(case.names)} "
            "parameters)",
            "another seed before the model is made, another checkpoint, or another initialisation",
        )


def _unequal_names(case: Case) -> list[str]:
    lists = [str((r.get("weights") or {}).get("tensors", "")).split() for r in case.pair]
    return [n for n, x, y in zip(case.names, *lists, strict=False) if x != y]


def _like_another(case: Case) -> Iterator[LikelyCause]:
    for side, name, whose, like, count in like_another(case.pair, case.names):
        other = "its own" if whose == side else f"{RUNS[whose]}'s"
        more = f"; so it is with {count - 1} more" if count > 1 else ""
        same_run = "copied or tied" if whose == side else "loaded, or numbered, in another order"
        yield LikelyCause(
            "weights-of-another",
            f"{RUNS[side]}'s {plain(name)} has the values of {other} {plain(like)}{more}",
            f"layers are {same_run} in {RUNS[side]}",
        )


def _buffers(case: Case) -> Iterator[LikelyCause]:
    for each in case.unequal("weights"):
        if each.share is not None and each.share.things is Things.BUFFERS:
            share = f"{each.share.count} of {each.share.total}"
            yield LikelyCause(
                "buffers",
                f"buffers are unequal before step {case.step} ({share}, first "
                f"{plain(each.tensor or '')}), the parameters equal",
                "running statistics or tables that one run loads, resets or updates elsewhere: a "
                "forward pass in train mode between the steps, say",
            )


def update_causes(case: Case) -> Iterator[LikelyCause]:
    """Of updates that are unequal though weights, gradients and settings are equal."""
    resumed = case.begins is not None and case.step == case.begins.step + 1
    if resumed and case.begins is not None:
        side = case.begins.side
        yield LikelyCause(
            "optimizer-state",
            f"{RUNS[side]} goes on from {RUNS[1 - side]}'s step {case.begins.step} without the "
            "optimizer's state (its averages and its count of steps)",
            f"save optimizer.state_dict(), and load it in {RUNS[side]} before the first step",
        )
        return
    buffers = [u for u in case.unequal() if u.share and u.share.things is Things.BUFFERS]
    if buffers:
        name = plain(buffers[0].tensor or "")
        yield LikelyCause(
            "buffers",
            f"the step leaves different buffers ({name}): running statistics that move differently",
            "look at momentum of BatchNorm, at its mode, and at more passes in the step",
        )
        return
    yield LikelyCause(
        "optimizer-inside",
        f"weights, gradients and hyper-parameters are equal, and {FIRST}'s optimizer makes a "
        f"different update of them than {SECOND}'s: its state (averages, count of steps) or its "
        "way to compute is different",
        "look at load_state_dict of the optimizer, bias correction, and a step() of its own",
    )
