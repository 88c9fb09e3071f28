"""Verdicts in words, and as exit codes: the only place where a verdict becomes a sentence.

python -m reference diff A B
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from reference.diff.divergence_curve import Point
from reference.diff.evidence import (
    ChangedTensors,
    Contradiction,
    LackingRanks,
    OtherAtEnd,
    OtherModels,
    TrainedInOne,
)
from reference.diff.note_text import contradiction_text, header_text, lacking_text, note_text
from reference.diff.sides import LEDGERS, Sides
from reference.diff.unequal import NOTE, Unequal
from reference.diff.value_text import field_text, short, unequal_text
from reference.diff.verdict import Reason, Verdict
from reference.errors import InputError
from reference.ledger.record import SCHEMA
from reference.messages import json_object, plain
from reference.terminal import table

EVERY = "every link of every step"
JSON_SCHEMA = 1  # of `diff --json`; docs/diff-and-explain.md has its fields
SHOWN = 4  # unequal fields in a line


def in_words(v: Verdict, sides: Sides = LEDGERS) -> Verdict:
    """The verdict with its detail and notes in words.

    Args:
        v: The verdict.
        sides: What the two runs are called.
    """
    notes = tuple(note_text(note, sides) for note in v.remarks)
    return replace(v, detail=_detail(v, sides), notes=notes)


def _detail(v: Verdict, sides: Sides) -> str:
    """What is unequal, or why nothing can be said."""
    unequal = _unequal(v.link, v.unequal)
    match v.reason:
        case None:
            return unequal
        case Reason.ONE_RUN_ENDS:
            return f"one run ends: {unequal}"
        case Reason.CHANGED_WEIGHTS:
            return _changed_weights(v.evidence)
        case Reason.CHANGED_BUFFERS:
            return f"buffers changed after the last step: {unequal_text(v.unequal[0])}"
        case Reason.NO_STEPS:
            return "a ledger without steps" + (f" ({v.evidence})" if v.evidence else "")
        case Reason.WITHIN_ENVELOPE:
            return "within the envelope"
        case Reason.REPLICAS:
            return "in weights and updates"
        case Reason.NO_REPLICAS:
            return "no two of them need be equal"
    if v.step is not None:
        return f"{_doubt(v)}; first unequal: step {v.step}, link {v.link}: {unequal}"
    return _equal_as_far_as_it_goes(v, v.reason, sides)


def _unequal(link: str | None, unequal: Sequence[Unequal]) -> str:
    """What is unequal in the link that is named; then what else is, before the hard link."""
    own = [u for u in unequal if u.link == link and u.weight != NOTE]
    others = [u for u in unequal if u not in own]
    shown = [unequal_text(u) for u in own[:SHOWN]]
    if len(own) > SHOWN:
        shown.append(f"and {len(own) - SHOWN} more fields")
    also = "; ".join(f"{u.link} {unequal_text(u)}" for u in others[:SHOWN])
    return "; ".join(shown) + (f" (also unequal: {also})" if also else "")


def _doubt(v: Verdict) -> str:
    """Why unequal bits of this link need be no deviation."""
    if isinstance(v.evidence, OtherModels):
        return _models(v.evidence)
    if isinstance(v.evidence, tuple):
        unequal = " and ".join(map(header_text, v.evidence))
        return f"bits may differ with nothing wrong, since {unequal}"
    return f"a newer schema than {SCHEMA} may write the same bits in another way"


def _equal_as_far_as_it_goes(v: Verdict, reason: Reason, sides: Sides) -> str:
    """What is equal, and why it is no proof."""
    equal = f"equal for {v.steps} steps"
    if isinstance(v.evidence, OtherModels):
        return f"{_models(v.evidence)}; batches and generators are {equal}"
    if isinstance(v.evidence, Contradiction):
        return f"{equal}; {contradiction_text(v.evidence, sides)}"
    if isinstance(v.evidence, LackingRanks):
        compared = f"{equal} on {_ranks(v.ranks)}" if v.ranks else "no rank is in both"
        return f"{compared}; {lacking_text(v.evidence, sides)}"
    return {
        Reason.MISSING_LINKS: f"{equal} in every link that both have",
        Reason.NEWER_SCHEMA: f"{equal} in every link that schema {SCHEMA} knows",
        Reason.RECORDING_ENDED: f"{equal}; recording ended in one ({v.evidence})",
        Reason.CUT_SHORT: f"{equal}; a run was cut short, or failed",
        Reason.OTHER_END: f"{equal}; the last weights are of other lists of them",
    }[reason]


def _models(models: OtherModels) -> str:
    """Why the tensors of two runs can't be compared."""
    if isinstance(models, TrainedInOne):
        what = f"{short(models.name)}, which is trained, stands in one of them only"
    else:
        first, second = (short(p if p is not None else "none") for p in (models.left, models.right))
        what = f"{first} and {second}"
    return f"the models have other parameters: {what}"


def _changed_weights(evidence: object) -> str:
    """The weights that changed after the last step, as far as the ledgers list them."""
    if isinstance(evidence, OtherAtEnd):
        return _other_at_end(evidence)
    said = "the weights changed after the last step"
    if not isinstance(evidence, ChangedTensors):
        return said
    count, total, first = evidence.count, evidence.total, plain(evidence.first)
    return f"{said}: {count} of {total} tensors, first {first}"


def _other_at_end(model: OtherAtEnd) -> str:
    forms = f": {' and '.join(model.forms)}" if model.forms[0] != model.forms[1] else ""
    unequal = f"unequal in {model.count} of its {model.total} tensors"
    said = f"{model.model} is another at the end: {unequal}, first {model.first}{forms}"
    return plain(said)


def as_json(v: Verdict) -> dict[str, Any]:
    """The verdict as `compare` writes it: every value, and the words for what has no short form."""
    written = asdict(v)
    del written["evidence"], written["remarks"]  # in words: `detail` and `notes`
    return {**written, "unequal": unequal_as_json(v.unequal)}


def unequal_as_json(unequal: Sequence[Unequal]) -> list[dict[str, Any]]:
    """Unequal fields with all their values; `field` is the whole of it in words."""
    return [{**asdict(each), "field": field_text(each)} for each in unequal]


def json_line(a: str, b: str | None, names: str, v: Verdict) -> str:
    """The verdict as one JSON object; a number that isn't finite is a word.

    Args:
        a: The first run, as it was given.
        b: The second one; None where the ranks of one run were held against each other.
        names: What was compared, in words.
        v: The verdict.
    """
    written = {"schema": JSON_SCHEMA, "a": a, "b": b, **as_json(v)}
    return json_object({**written, "sentence": sentence(names, v)})


def sentences(first: str, verdicts: dict[str, Verdict]) -> list[str]:
    """The verdict on several runs against the first: one line where all agree, else one each."""
    if all(v.verdict == "identical" for v in verdicts.values()):
        steps = next(iter(verdicts.values())).steps
        return [f"identical: {len(verdicts) + 1} loops, {steps} steps, {EVERY}"]
    return [sentence(f"{first} and {name}", v) for name, v in verdicts.items()]


def sentence(pair: str, v: Verdict) -> str:
    """The verdict on one pair of runs: one line of cause."""
    rank = "" if v.rank is None else f"rank {v.rank}"
    if v.verdict == "diverged":
        on = f"on {rank} " if rank else ""
        return f"diverged: {pair} part {on}at step {v.step}, link {v.link}: {v.detail}"
    if v.verdict == "incomparable":
        return f"incomparable: {pair}: {rank + ': ' if rank else ''}{v.detail}"
    on = f", on {_ranks(v.ranks)}" if v.ranks > 1 else ""
    if v.detail:
        return f"identical {v.detail}: {pair}, {v.steps} steps{on}"
    return f"identical: {pair}, {v.steps} steps, {EVERY}{on}"


def _ranks(count: int) -> str:
    return f"{count} rank{'s' * (count != 1)}"


def lines(pair: str, v: Verdict) -> list[str]:
    """All that there is to say of one pair: the verdict, notes, what was equal, how it goes on.

    A line each, but for the curve, which is a table of our own.
    """
    said = [sentence(pair, v)]
    if v.step is not None and v.steps:
        links = "every link" if v.every_link else "every link that was compared"
        said.append(f"equal before it: {v.steps} step{'s' * (v.steps != 1)}, in {links}")
    said = [plain(line) for line in (*said, *v.notes)]
    if len(v.curve) > 1:
        said += ["how the two go on:", curve(v.curve)]
    return said


def curve(points: tuple[Point, ...]) -> str:
    """A table: both losses, how far apart they are, and the gradients' norms."""
    rows = [["step", "loss", "other loss", "apart", "gradient norms apart"]]
    for point in points:
        a, b = point.losses
        apart = "-" if a is None or b is None else f"{abs(a - b):.2g}"
        norms = "-" if point.norms is None else f"{100 * point.norms:.2g} %"
        rows.append([str(point.step), _loss(a), _loss(b), apart, norms])
    return table(rows)


def _loss(loss: float | None) -> str:
    return "-" if loss is None else short(loss)


def exit_code(verdict: Verdict) -> int:
    """The command line's, wherever something was compared."""
    return {"identical": 0, "diverged": 1, "incomparable": InputError.exit_code}[verdict.verdict]
