"""Where two ledgers first part: the first step, and in it the first unequal link.

    python -m reference diff A B

Both are read once, side by side, a step at a time. What follows from the divergence isn't listed:
one line of cause, and a curve of how the two go on.
"""

from dataclasses import dataclass, replace

from reference.diff.comparison import SIDES, Comparison
from reference.diff.divergence import Divergence
from reference.diff.divergence_curve import Curve, Point
from reference.diff.link_comparators import HARD, Unequal, buffers
from reference.diff.parameter_matching import at_places
from reference.diff.value_text import short
from reference.ledger.link_table import COMPUTED, METRICS, NEED_SAME_MODEL, OF_NAME, Holds
from reference.ledger.record import SCHEMA, Record
from reference.messages import plain


@dataclass(frozen=True)
class Verdict:
    """`identical`, `diverged` or `incomparable`; where and in what, and how far it was equal.

    `steps` are equal in every link. `suspects` are the links in which the cause may lie, the
    likeliest first; `unequal` their fields. `notes` is what a reader must know beside it.
    """

    verdict: str
    steps: int = 0
    step: int | None = None
    link: str | None = None
    detail: str = ""
    suspects: tuple[str, ...] = ()
    unequal: tuple[Unequal, ...] = ()
    notes: tuple[str, ...] = ()
    curve: tuple[Point, ...] = ()
    every_link: bool = True  # was compared, and nothing else stands in the ledgers' steps


def judge(
    c: Comparison, counts: list[int], ends: list[Record | None], curve: Curve | None = None
) -> Verdict:
    """The verdict on two runs that have been read to their ends."""
    if c.divergence is not None:
        verdict = _diverged(c, c.divergence)
        verdict = replace(verdict, curve=curve.points() if curve is not None else ())
    else:
        verdict = _undiverged(c, counts, ends)
    every_link = not (c.other_models or c.missing or any(c.newer))
    notes = _notes(c, verdict)
    if verdict.verdict == "identical":
        one = _of_one_end(c, [end for end in ends if end])
        if one:
            lacking = f"{len(one)} tensors, first {plain(one[0])}, of models that only one run used"
            notes = (*notes, f"not compared after the last step: {lacking}")
    return replace(verdict, notes=notes, every_link=every_link)


def _diverged(c: Comparison, found: Divergence) -> Verdict:
    equal = min(c.steps, found.step - (found.link != METRICS))
    detail, word = found.detail(), "diverged"
    doubt = _doubt(c, found.link)
    if doubt:
        word = "incomparable"
        detail = f"{doubt}; first unequal: step {found.step}, link {found.link}: {detail}"
    suspects, unequal = found.suspects, tuple(found.unequal)
    return Verdict(word, equal, found.step, found.link, detail, suspects, unequal)


def _undiverged(c: Comparison, counts: list[int], ends: list[Record | None]) -> Verdict:
    if not counts[0] or not counts[1]:
        return Verdict("incomparable", detail="a ledger without steps")
    if c.other_models:
        equal = f"batches and generators are equal for {c.steps} steps"
        detail = f"the models have other parameters: {c.other_models}; {equal}"
        return Verdict("incomparable", c.steps, detail=detail)
    shorter = ends[0] if counts[0] < counts[1] else ends[1]
    if counts[0] != counts[1] and shorter and shorter["complete"]:
        unequal = Unequal("batch", "steps of the run", counts[0], counts[1])
        detail, suspects = f"one run ends: {unequal}", ("batch", "schedule", "update")
        return Verdict("diverged", c.steps, c.steps + 1, "batch", detail, suspects, (unequal,))
    if not all(end and end["complete"] for end in ends):
        lost = next((str(end["lost"]) for end in ends if end and end.get("lost")), "")
        why = f"recording ended in one ({lost})" if lost else "a run was cut short, or failed"
        detail = f"equal for {c.steps} steps; {why}"
        return Verdict("incomparable", c.steps, detail=detail)
    if c.missing:
        detail = f"equal for {c.steps} steps in every link that both have"
        return Verdict("incomparable", c.steps, detail=detail)
    if any(c.newer):
        detail = f"equal for {c.steps} steps in every link that schema {SCHEMA} knows"
        return Verdict("incomparable", c.steps, detail=detail)
    if c.edited:
        return Verdict("incomparable", c.steps, detail=f"equal for {c.steps} steps; {c.edited}")
    return _at_their_ends(c, [end for end in ends if end])


def _at_their_ends(c: Comparison, ends: list[Record]) -> Verdict:
    """Two whole runs, equal in every step: whether their last weights and buffers are, too."""
    changed = _changed_weights(c, ends)
    if changed is None:
        detail = f"equal for {c.steps} steps; the last weights are of other lists of them"
        return Verdict("incomparable", c.steps, detail=detail)
    if changed:
        return Verdict("diverged", c.steps, c.steps, "update", changed, ("update",))
    kept = [c.with_named_buffers(side, end) for side, end in enumerate(ends)]
    found = buffers("update", *kept)
    # Models that only one run's last step used have buffers of their own there.
    apart = bool(_of_one_end(c, ends))
    others = tuple(u for u in found if u.weight == HARD and not (apart and u.field == "buffers"))
    if others:
        detail = f"buffers changed after the last step: {others[0]}"
        return Verdict("diverged", c.steps, c.steps, "update", detail, ("update",), others)
    return Verdict("identical", c.steps)


def _changed_weights(c: Comparison, ends: list[Record]) -> str | None:
    """Which weights changed after the last step; '' for none, None where it can't be told.

    The last weights are of all tensors of the last step's models, in the order of their own ledger.
    """
    said = "the weights changed after the last step"
    if c.matching.same_parts and ends[0].get("weights") == ends[1].get("weights"):
        return ""
    known = [(name, x == y) for name, x, y in _last_tensors(c, ends) if "-" not in (x, y)]
    unequal = [name for name, same in known if not same]
    if unequal:
        return f"{said}: {len(unequal)} of {len(known)} tensors, first {plain(unequal[0])}"
    if known and (not c.matching.same_parts or _of_one_end(c, ends)):
        return ""
    return said if c.matching.same_parts else None


def _of_one_end(c: Comparison, ends: list[Record]) -> list[str]:
    """The tensors that only one run's end has: the other's last step was made without them."""
    return [name for name, x, y in _last_tensors(c, ends) if (x == "-") != (y == "-")]


def _last_tensors(c: Comparison, ends: list[Record]) -> list[tuple[str, str, str]]:
    """Each tensor that both runs have, with both last hashes; none where one end lists none."""
    if not all("tensors" in end for end in ends):
        return []
    lists = [str(end["tensors"]).split() for end in ends]
    left, right = (at_places(each, c.matching.places(side)) for side, each in enumerate(lists))
    return list(zip(c.matching.names, left, right, strict=True))


def _notes(c: Comparison, verdict: Verdict) -> tuple[str, ...]:
    notes = [f"not the same: {what}" for what in [*c.surroundings, *c.named]]
    notes += c.matching.notes
    if c.other_models:
        notes.append(
            f"not compared: {', '.join(NEED_SAME_MODEL)}, since the models' parameters differ"
        )
    else:
        for side, model in c.matching.left_over:
            notes.append(
                f"not compared: {model}, which only {SIDES[side]} ledger has, and which takes part "
                "in no step"
            )
    lacking: dict[str, list[str]] = {}
    for link, sides in c.missing.items():
        lacking.setdefault(" and ".join(sorted(sides)), []).append(link)
    for whose, links in lacking.items():
        notes.append(f"not compared: {', '.join(links)}, which {whose} ledger lacks")
    for whose, (place, why) in c.unseen.items():
        notes.append(f"{place} of {whose} ledger has a pass that couldn't be recorded: {why}")
    for whose, fields in c.unknown.items():
        shown = ", ".join(sorted(map(short, fields)))
        notes.append(
            f"not compared: {shown}, which {whose} ledger doesn't have as schema {SCHEMA} does"
        )
    for whose, (count, step) in c.extra.items():
        several = f"{count} evaluations" if count > 1 else "an evaluation"
        notes.append(
            f"not compared: {several} that the other run didn't make, in {whose} ledger, "
            f"{'the first ' if count > 1 else ''}after step {step}"
        )
    unequal = c.divergence.unequal if c.divergence is not None else []
    for more in (u for u in unequal if u.link == METRICS and u.field == "count"):
        notes.append(
            f"{_rows(abs(more.left - more.right))} more in {SIDES[more.right > more.left]} ledger: "
            "an evaluation that the other run didn't make, or other rows; evaluations that no "
            "score ends stand in a ledger as one"
        )
    identical = verdict.verdict == "identical"
    said = "of no effect" if identical else "unequal before that, to no effect until then"
    notes += [f"{said}: {what}" for what in c.idle_notes(whole=identical)]
    if c.edited:
        notes.append(f"{c.edited}: edited, or not written by this package")
    return tuple(notes)


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _doubt(c: Comparison, link: str) -> str:
    """Why unequal bits of this link need be no deviation, if so."""
    if c.other_models:
        return f"the models have other parameters: {c.other_models}"
    if any(c.newer) and Holds.HASHES in OF_NAME[link].holds:
        return f"a newer schema than {SCHEMA} may write the same bits in another way"
    if c.surroundings and link in COMPUTED:
        return f"bits may differ with nothing wrong, since {' and '.join(c.surroundings)}"
    return ""
