"""Runs that are equal in every step that both have, and end otherwise."""

from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.verdict import Reason, Verdict


def end_causes(verdict: Verdict) -> list[LikelyCause]:
    """Why two such runs aren't the same; none where they are."""
    match verdict.reason:
        case Reason.ONE_RUN_ENDS:
            left, right = verdict.unequal[0].left, verdict.unequal[0].right
            side = int(left > right)  # the run that ends first
            counts = left, right
            said = f"{RUNS[side]} ends after step {counts[side]}, {RUNS[1 - side]} goes on to step "
            return [
                LikelyCause(
                    "length",
                    f"{said}{counts[1 - side]}",
                    "look at the number of epochs, max_steps, drop_last, and at what ends the loop",
                )
            ]
        case Reason.CHANGED_WEIGHTS:
            return [
                LikelyCause(
                    "weights-at-end",
                    f"{FIRST} and {SECOND} are equal in every step, and then one of them puts "
                    "different weights into the model",
                    "look at what comes after training: the best model loaded back, an average "
                    "copied in, pruning, a layer replaced",
                )
            ]
        case Reason.CHANGED_BUFFERS:
            return [
                LikelyCause(
                    "buffers-at-end",
                    f"{FIRST} and {SECOND} are equal in every step, and then one of them changes "
                    "buffers",
                    "a forward pass in train mode after training (an evaluation without eval()) "
                    "moves BatchNorm's statistics",
                )
            ]
    return []
