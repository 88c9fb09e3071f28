"""From a comparison of two runs to the verdict on them."""

from dataclasses import replace

from reference.diff.causes.case import Case
from reference.diff.causes.ends import end_causes
from reference.diff.causes.find import likely_causes
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.comparison import Comparison
from reference.diff.divergence import Divergence
from reference.diff.divergence_curve import Curve
from reference.diff.evidence import ChangedTensors, Evidence, OtherAtEnd
from reference.diff.inside_calls import inside
from reference.diff.joined_optimizers import MALFORMED
from reference.diff.later_batches import LaterBatches
from reference.diff.left_at_end import left_otherwise
from reference.diff.model_ends import model_ends, models_of_one
from reference.diff.notes import (
    BeginsLater,
    Lengths,
    MoreRows,
    NoModelInCommon,
    NoScores,
    Note,
    NothingEvaluated,
    TensorsOfOneEnd,
    Unsealed,
    UnusedModel,
)
from reference.diff.one_numbering import at_places
from reference.diff.optimizer_ends import optimizer_ends
from reference.diff.saved_ends import saved_ends
from reference.diff.tensor_differences import buffers
from reference.diff.unequal import COUNT, HARD, Unequal
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import in_words
from reference.ledger.link_table import COMPUTED, METRICS, OF_NAME, Holds
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record


def judge(
    c: Comparison,
    counts: list[int],
    ends: list[Record | None],
    curve: Curve | None = None,
    begins: BeginsLater | None = None,
    later: LaterBatches | None = None,
) -> Verdict:
    """The verdict on two runs that have been read to their ends.

    Args:
        c: The comparison of all their steps.
        counts: How many steps each run has.
        ends: The record of each run's end; None where its ledger has none.
        curve: How the two went on after they parted.
        begins: Where the one begins in the other, if not at its beginning.
        later: Their batches after they parted.
    """
    if c.divergence is not None:
        verdict = _diverged(c, c.divergence)
        verdict = replace(verdict, curve=curve.points() if curve is not None else ())
    else:
        verdict = _undiverged(c, counts, ends)
    every_link = not (
        c.other_models or c.missing or any(c.newer) or c.gaps.passes or c.gaps.of_one_run
    )
    begun: list[Note] = [begins] if begins is not None else []
    if counts[0] != counts[1] and verdict.reason is not Reason.ONE_RUN_ENDS:
        lengths = list(counts)
        if begins is not None:  # of the whole run only what is compared was counted
            lengths[1 - begins.side] += begins.step
        begun.append(Lengths(*lengths))
    remarks = _remarks(c, verdict, [end for end in ends if end], begun)
    causes = tuple(_causes(c, verdict, counts, begins, later or LaterBatches()))
    return in_words(replace(verdict, remarks=remarks, causes=causes, every_link=every_link))


def _causes(
    c: Comparison,
    verdict: Verdict,
    counts: list[int],
    begins: BeginsLater | None,
    later: LaterBatches,
) -> list[LikelyCause]:
    """What it most likely comes from, the likeliest first."""
    if c.other_models is not None and verdict.verdict != "identical":
        return c.other_models_cause
    if c.divergence is None:
        return end_causes(verdict)
    case = Case(
        divergence=c.divergence,
        earlier=c.earlier,
        names=c.matching.names,
        renamed=c.matching.notes,
        kinds=c.matching.kinds,
        told=c.told_otherwise,
        later=later,
        begins=begins,
        steps=(counts[0], counts[1]),
    )
    try:
        return likely_causes(case)
    except MALFORMED:  # from a record that somebody edited nothing follows
        return []


def _diverged(c: Comparison, divergence: Divergence) -> Verdict:
    step, link = divergence.step, divergence.link
    equal = min(c.steps, step - c.before - (link != METRICS))
    reason, evidence = _doubt(c, link)
    return Verdict(
        "diverged" if reason is None else "incomparable",
        equal,
        step,
        link,
        suspects=divergence.suspects,
        unequal=tuple(divergence.unequal),
        reason=reason,
        evidence=evidence,
    )


def _doubt(c: Comparison, link: str) -> tuple[Reason | None, Evidence | None]:
    """Why unequal bits of this link need be no deviation, if so."""
    if c.other_models is not None:
        return Reason.OTHER_MODELS, c.other_models
    if any(c.newer) and Holds.HASHES in OF_NAME[link].holds:
        return Reason.NEWER_SCHEMA, None
    if c.surroundings and link in COMPUTED:
        return Reason.OTHER_SURROUNDINGS, tuple(c.surroundings)
    return None, None


def _undiverged(c: Comparison, counts: list[int], ends: list[Record | None]) -> Verdict:
    """Two runs of which no step is unequal, as far as they were compared."""
    if not all(counts):
        lost = next((str(e["lost"]) for e in ends if e and e.get("lost") and not e["steps"]), None)
        return _incomparable(c, Reason.NO_STEPS, lost)
    if c.other_models is not None:
        return _incomparable(c, Reason.OTHER_MODELS, c.other_models)
    shorter = ends[0] if counts[0] < counts[1] else ends[1]
    if counts[0] != counts[1] and shorter and shorter["complete"]:
        ends_at = c.before + counts[0], c.before + counts[1]
        verdict = one_run_ends(c.steps, ends_at, ("batch", "schedule", "update"))
        return replace(verdict, step=c.last + 1)
    if not all(end and end["complete"] for end in ends):
        lost = next((str(end["lost"]) for end in ends if end and end.get("lost")), None)
        return _incomparable(c, Reason.RECORDING_ENDED if lost else Reason.CUT_SHORT, lost)
    if c.missing:
        return _incomparable(c, Reason.MISSING_LINKS)
    if any(c.newer):
        return _incomparable(c, Reason.NEWER_SCHEMA)
    if c.edited is not None:
        return _incomparable(c, Reason.CONTRADICTION, c.edited)
    return _at_their_ends(c, [end for end in ends if end])


def _incomparable(c: Comparison, reason: Reason, evidence: Evidence | None = None) -> Verdict:
    return Verdict("incomparable", c.steps, reason=reason, evidence=evidence)


def one_run_ends(
    steps: int, counts: tuple[int | str, int | str], suspects: tuple[str, ...]
) -> Verdict:
    """The verdict on two runs, one of which has as many steps as are equal, and the other more."""
    unequal = Unequal("batch", "steps of the run", *counts)
    return Verdict(
        "diverged",
        steps,
        steps + 1,
        "batch",
        suspects=suspects,
        unequal=(unequal,),
        reason=Reason.ONE_RUN_ENDS,
    )


def _at_their_ends(c: Comparison, ends: list[Record]) -> Verdict:
    """Two whole runs, equal in every step: whether their last weights and buffers are, too.

    The last weights are of all tensors of the last step's models, in the order of their own ledger.
    """
    tensors = _last_tensors(c, ends)
    in_both = [(name, x == y) for name, x, y in tensors if ABSENT not in (x, y)]
    unequal = [name for name, same in in_both if not same]
    same_hash = c.matching.same_parts and ends[0].get("weights") == ends[1].get("weights")
    if unequal and not same_hash:
        return _changed(c, ChangedTensors(len(unequal), len(in_both), unequal[0]))
    listed = in_both and (not c.matching.same_parts or _of_one_end(tensors))
    if not (same_hash or listed):
        if c.matching.same_parts:
            return _changed(c, None)
        return _incomparable(c, Reason.OTHER_END)
    return _at_their_last_buffers(c, ends, tensors)


def _changed(
    c: Comparison, evidence: ChangedTensors | OtherAtEnd | None, buffers: tuple[Unequal, ...] = ()
) -> Verdict:
    """The verdict on two runs that part after their last step."""
    return Verdict(
        "diverged",
        c.steps,
        c.last,
        "update",
        suspects=("update",),
        unequal=buffers,
        reason=Reason.CHANGED_BUFFERS if buffers else Reason.CHANGED_WEIGHTS,
        evidence=evidence,
    )


LastTensor = tuple[str, str, str]  # its name, and its last hash in both runs


def _at_their_last_buffers(c: Comparison, ends: list[Record], tensors: list[LastTensor]) -> Verdict:
    named = [c.numbering.with_named_buffers(side, end) for side, end in enumerate(ends)]
    # Models that only one run's last step used have buffers of their own there.
    of_one = bool(_of_one_end(tensors))
    unequal = tuple(
        u
        for u in buffers("update", *named)
        if u.weight == HARD and not (of_one and u.field == "buffers")
    )
    if unequal:
        return _changed(c, None, unequal)
    others = model_ends(*ends, in_order=not c.in_other_order)
    if others:
        return _changed(c, others[0])
    optimizer = optimizer_ends(ends[0], ends[1], c.matching)
    if optimizer is not None:
        return Verdict(
            "diverged",
            c.steps,
            c.last,
            "optimizer",
            suspects=("optimizer",),
            reason=Reason.CHANGED_OPTIMIZER,
            evidence=optimizer,
        )
    saved = saved_ends(ends[0], ends[1])
    return _changed(c, saved) if saved is not None else Verdict("identical", c.steps)


def _of_one_end(tensors: list[LastTensor]) -> list[str]:
    """The tensors that only one run's end has: the other's last step was made without them."""
    return [name for name, x, y in tensors if (x == ABSENT) != (y == ABSENT)]


def _last_tensors(c: Comparison, ends: list[Record]) -> list[LastTensor]:
    """Each tensor that both runs have; none where one end lists none."""
    if not all("tensors" in end for end in ends):
        return []
    lists = [str(end["tensors"]).split() for end in ends]
    left, right = (at_places(each, c.matching.places(side)) for side, each in enumerate(lists))
    return list(zip(c.matching.names, left, right, strict=True))


def _remarks(
    c: Comparison, verdict: Verdict, ends: list[Record], begins: list[Note]
) -> tuple[Note, ...]:
    """What a reader must know beside the verdict."""
    identical = verdict.verdict == "identical"
    parts: list[Note] = []
    if c.divergence is not None and c.divergence.left.get("kind") == "step":
        parts = list(inside(c.divergence.left, c.divergence.right, c.divergence.link))
    told = c.told_otherwise if c.divergence is not None else []
    remarks: list[Note] = [*told, *begins, *parts, *c.surroundings, *c.named, *c.matching.notes]
    if c.other_models is not None:
        remarks += [*c.beside_other_models, NoModelInCommon()]
    else:
        whole = c.divergence is None
        remarks += [
            UnusedModel(side, m.kind, len(m.names), whole) for side, m in c.matching.left_over
        ]
    remarks += c.gaps.notes()
    remarks += _more_rows(c)
    remarks += c.ineffective_notes(whole=identical)
    if c.edited is not None:
        remarks.append(c.edited)
    if identical and not c.evaluations.in_either:
        remarks.append(NothingEvaluated())
    if identical and c.evaluations.in_both and not c.evaluations.scored:
        remarks.append(NoScores())
    if identical:
        remarks += left_otherwise(ends[0], ends[1], c.matching, c.same_generators)
        remarks += models_of_one(*ends)
        remarks += [Unsealed(tuple(c.unsealed))] if c.unsealed else []
    lacking = _of_one_end(_last_tensors(c, ends)) if identical else []
    if lacking:
        remarks.append(TensorsOfOneEnd(len(lacking), lacking[0]))
    return tuple(remarks)


def _more_rows(c: Comparison) -> list[MoreRows]:
    unequal = c.divergence.unequal if c.divergence is not None else []
    counts = [(u.left, u.right) for u in unequal if u.link == METRICS and u.field == COUNT]
    return [MoreRows(int(right > left), abs(left - right)) for left, right in counts]
