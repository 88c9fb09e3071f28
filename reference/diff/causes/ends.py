"""Runs that are equal in every step that both have, and end otherwise."""

from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.evidence import OtherAtEnd
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
        case Reason.CHANGED_WEIGHTS if _is_of_no_optimizer(verdict):
            return [
                LikelyCause(
                    "average-at-end",
                    f"{FIRST} and {SECOND} train alike in every step; what is kept beside it "
                    "(a copy or an average of weights, or a model that no optimizer moves) ends "
                    "differently",
                    "look at the average's decay, at when it is updated and copied, and at what is "
                    "loaded into a model that isn't trained",
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
        case Reason.CHANGED_OPTIMIZER:
            return [
                LikelyCause(
                    "optimizer-at-end",
                    f"{FIRST} and {SECOND} are equal in every step, and then one of them changes "
                    "what an optimizer keeps",
                    "look at what comes after training: a state that is loaded, emptied or edited; "
                    "whoever goes on from a checkpoint of it trains otherwise",
                )
            ]
    return []


def _is_of_no_optimizer(verdict: Verdict) -> bool:
    return isinstance(verdict.evidence, OtherAtEnd) and not verdict.evidence.trained
