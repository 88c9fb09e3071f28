"""A step whose optimizer calls its closure again (LBFGS): why its later passes are unequal.

Each call of the closure makes forward and backward passes. Those of the first call start from what
the step starts from. Those of a later call start from weights that the optimizer has moved by then,
with the first call's gradients, by its hyper-parameters and its learning rate.

The rule: where all that is unequal is of later calls, the cause is the first of these that is
unequal itself:

1. where the first call starts from: the weights, and the outputs of its own passes;
2. the norm of the gradients after the first call;
3. the hyper-parameters and the learning rate.

An example: two runs with LBFGS that differ in its learning rate, 0.1 and 0.2. In step 1 both see
the same batch, have the same weights and a loss of 0.7. In the second call the first run's loss is
0.65 and the second run's 0.61. The first unequal link is `forward` (pass 2, loss), but its cause is
the learning rate, which stands in a later link, `optimizer`. It is named, and the loss after it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reference.diff.link_comparators import COMPARATORS
from reference.diff.unequal import FORWARD_PASSES, HARD, Pair, Unequal
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.record import Record

# Links whose values later calls of a closure take part in.
OF_LATER_CALLS = ("batch", "forward", "gradient", "clip")
OF_EACH_PASS = links_holding(Holds.PASSES)


@dataclass(frozen=True)
class Calls:
    """How often each run calls its closure in a step, and how many forward passes a call makes."""

    counts: tuple[int, int]
    passes: int

    def is_later(self, unequal: Unequal) -> bool:
        """Whether this is of a pass after the first call, or of how often there was one."""
        of_pass = unequal.forward_pass
        return unequal.field == FORWARD_PASSES or (of_pass is not None and of_pass > self.passes)


Rule = Callable[[Pair, Calls], list[Unequal]]


def causes_before_later_calls(pair: Pair, link: str, unequal: list[Unequal]) -> list[Unequal]:
    """What of the rest of the step is why its later calls are unequal.

    Args:
        pair: The two steps.
        link: The first link that is unequal.
        unequal: What is unequal in it.

    Returns:
        The cause, or nothing: no closure is called again, something of the first call is unequal
        by itself, or what comes before the later calls is equal.
    """
    calls = _calls(pair)
    if calls is None or link not in OF_LATER_CALLS:
        return []
    if not all(calls.is_later(u) for u in unequal if u.link in OF_EACH_PASS):
        return []
    # Weights and outputs come before `gradient` and are compared by then, but not before `batch`.
    later: tuple[Rule, ...] = (_unequal_first_gradient, _told_otherwise)
    for rule in (_unequal_start, *later) if link == "batch" else later:
        causes = rule(pair, calls)
        if causes:
            return causes
    return []


def _unequal_start(pair: Pair, calls: Calls) -> list[Unequal]:
    """The weights, or else the outputs, of the first call."""
    for link in ("weights", "forward"):
        if pair.left.get(link) is not None and pair.right.get(link) is not None:
            unequal = [u for u in COMPARATORS[link](pair) if u.weight == HARD]
            of_first_call = [u for u in unequal if not calls.is_later(u)]
            if of_first_call:
                return of_first_call
    return []


def _unequal_first_gradient(pair: Pair, calls: Calls) -> list[Unequal]:
    left, right = (
        _norm_after_first_call(record, count)
        for record, count in zip((pair.left, pair.right), calls.counts, strict=True)
    )
    return [] if left == right else [Unequal("gradient", "norm after the first call", left, right)]


def _told_otherwise(pair: Pair, _calls: Calls) -> list[Unequal]:
    """Hyper-parameters and learning rate, which the optimizer moves the weights by."""
    unequal = [u for u in COMPARATORS["optimizer"](pair) if u.weight == HARD]
    if pair.rate is not None and pair.rate.unequal not in unequal:
        unequal.append(pair.rate.unequal)
    return unequal


def _calls(pair: Pair) -> Calls | None:
    """None unless both call a closure, one of them again, and each call makes as many passes."""
    left, right = ((r.get("clip") or {}).get("closure_calls", 0) for r in (pair.left, pair.right))
    if min(left, right) < 1 or max(left, right) < 2:
        return None
    passes = [len(record.get("batch") or []) for record in (pair.left, pair.right)]
    a_call = {divmod(passes[0], left), divmod(passes[1], right)}
    number, rest = a_call.pop()
    return None if a_call or rest else Calls((left, right), number)


def _norm_after_first_call(record: Record, calls: int) -> Any:
    """The gradients' norm after a closure's first call; None where that isn't known."""
    gradient = record.get("gradient") or {}
    norms = gradient.get("norms_after") or [gradient.get("norm")]  # of a single pass
    return None if len(norms) % calls else norms[len(norms) // calls - 1]
