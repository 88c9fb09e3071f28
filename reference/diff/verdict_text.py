"""Verdicts in words, and as exit codes: the only place where a verdict becomes a sentence.

python -m reference diff A B
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from reference.diff.curve_text import curve, curve_title
from reference.diff.evidence import (
    ChangedTensors,
    Contradiction,
    LackingRanks,
    OptimizerAtEnd,
    OtherAtEnd,
    OtherModels,
    TrainedInOne,
)
from reference.diff.inside_notes import NotInside, PartsInside
from reference.diff.inside_text import inside_text
from reference.diff.note_text import contradiction_text, header_text, lacking_text, note_text
from reference.diff.replica_text import EACH_ALONE
from reference.diff.sides import LEDGERS, Sides
from reference.diff.unequal import NOTE, Unequal
from reference.diff.value_text import HASH, field_text, short, unequal_text
from reference.diff.verdict import Reason, Verdict
from reference.errors import InputError
from reference.ledger.record import SCHEMA
from reference.messages import json_object, plain

EVERY = "every link of every step"
COMPARED = "every link of every step, as far as both have it"
JSON_SCHEMA = 1  # of `diff --json`; docs/diff-and-explain.md has its fields
SHOWN = 4  # unequal fields in a line
FIRST_FIELDS = 2  # of them, under a likely cause
INSIDE_THE_MODEL = "inside-the-model"  # a cause that says less than the module


def in_words(v: Verdict, sides: Sides = LEDGERS) -> Verdict:
    """The verdict with its detail and notes in words.

    Args:
        v: The verdict.
        sides: What the two runs are called.
    """
    vague = not v.causes or v.causes[0].kind == INSIDE_THE_MODEL
    notes = tuple(
        note_text(note, sides) for note in v.remarks if vague or not isinstance(note, NotInside)
    )
    cause, advice = _likeliest(v, sides)
    return replace(v, detail=_detail(v, sides), cause=cause, advice=advice, notes=notes)


def _likeliest(v: Verdict, sides: Sides) -> tuple[str, str]:
    """The likeliest cause, and what to do about it; of a forward pass its first unequal module."""
    parts = [note for note in v.remarks if isinstance(note, PartsInside)]
    vague = not v.causes or v.causes[0].kind == INSIDE_THE_MODEL
    if parts and vague:
        return inside_text(parts[0], sides).removeprefix("inside: "), ""
    if not v.causes:
        return "", ""
    return v.causes[0].text(sides), v.causes[0].advice_text(sides)


def _detail(v: Verdict, sides: Sides) -> str:
    """What is unequal, or why nothing can be said."""
    unequal = _unequal(v.link, v.unequal, sides)
    match v.reason:
        case None:
            return unequal
        case Reason.ONE_RUN_ENDS:
            return f"one run ends: {unequal}"
        case Reason.CHANGED_WEIGHTS:
            return _changed_weights(v.evidence)
        case Reason.CHANGED_OPTIMIZER if isinstance(v.evidence, OptimizerAtEnd):
            return _optimizer_at_end(v.evidence)
        case Reason.CHANGED_BUFFERS:
            return f"buffers changed after the last step: {unequal_text(v.unequal[0], sides)}"
        case Reason.NO_STEPS:
            return "a ledger without steps" + (f" ({v.evidence})" if v.evidence else "")
        case Reason.WITHIN_ENVELOPE:
            return "within the envelope"
        case Reason.REPLICAS:
            return "in weights and updates"
        case Reason.NO_REPLICAS:
            return "no two of them need be equal"
        case Reason.EACH_ALONE:
            return EACH_ALONE
    if v.step is not None:
        return f"{_doubt(v, sides)}; first unequal: step {v.step}, link {v.link}: {unequal}"
    return _equal_as_far_as_it_goes(v, v.reason, sides)


def _unequal(link: str | None, unequal: Sequence[Unequal], sides: Sides) -> str:
    """What is unequal in the link that is named; then what else is, before the hard link."""
    own = [u for u in unequal if u.link == link and u.weight != NOTE]
    others = [u for u in unequal if u not in own]
    most = SHOWN if len(own) != SHOWN + 1 else len(own)
    shown = [unequal_text(u, sides) for u in own[:most]]
    if len(own) > most:
        shown.append(f"and {len(own) - most} more fields")
    also = "; ".join(f"{u.link} {unequal_text(u, sides)}" for u in others[:SHOWN])
    return "; ".join(shown) + (f" (also unequal: {also})" if also else "")


def _doubt(v: Verdict, sides: Sides) -> str:
    """Why unequal bits of this link need be no deviation."""
    if isinstance(v.evidence, OtherModels):
        return _models(v.evidence, sides)
    if isinstance(v.evidence, tuple):
        unequal = " and ".join(map(header_text, v.evidence))
        return f"bits may differ with nothing wrong, since {unequal}"
    return f"a newer schema than {SCHEMA} may write the same bits in a different way"


def _equal_as_far_as_it_goes(v: Verdict, reason: Reason, sides: Sides) -> str:
    """What is equal, and why it is no proof."""
    equal = f"equal for {v.steps} steps"
    if isinstance(v.evidence, OtherModels):
        return f"{_models(v.evidence, sides)}; batches and generators are {equal}"
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
        Reason.OTHER_END: f"{equal}; the last weights are of different lists of them",
    }[reason]


def _models(models: OtherModels, sides: Sides) -> str:
    """Why the tensors of two runs can't be compared."""
    if isinstance(models, TrainedInOne):
        what = f"{short(models.name)}, which is trained, stands in one of them only"
    elif None in (models.left, models.right):
        side = int(models.left is None)
        what = f"only {sides.name(side)} has {_parameter(models.left or models.right)}"
    else:
        pair = models.left, models.right
        names = [f"{sides.name(side)} has {_parameter(pair[side])}" for side in (0, 1)]
        what = f"{names[0]} where {names[1]}"
    return f"the models have different parameters: {what}"


def _parameter(parameter: list[Any] | None) -> str:
    """As in 'head.weight (2, 64)'."""
    if parameter is None:
        return "none more"
    return short(f"{parameter[0]} ({', '.join(map(str, parameter[1]))})")


def _changed_weights(evidence: object) -> str:
    """The weights that changed after the last step, as far as the ledgers list them."""
    if isinstance(evidence, OtherAtEnd):
        return _other_at_end(evidence)
    said = "the weights changed after the last step"
    if not isinstance(evidence, ChangedTensors):
        return said
    count, total, first = evidence.count, evidence.total, plain(evidence.first)
    return f"{said}: {count} of {total} tensors, first {first}"


def _optimizer_at_end(kept: OptimizerAtEnd) -> str:
    words = ["none" if v is None else "" if HASH.fullmatch(v) else v for v in kept.values]
    shown = " and ".join(word or "some" for word in words)
    of = f" of {kept.count} of {kept.total} parameters, first {kept.first}" if kept.first else ""
    values = f": {shown}" if any(words) else ""  # two hashes tell a reader nothing
    return plain(f"what the optimizer keeps is different at the end: {kept.value}{of}{values}")


def _other_at_end(model: OtherAtEnd) -> str:
    forms = f": {' and '.join(model.forms)}" if model.forms[0] != model.forms[1] else ""
    unequal = f"unequal in {model.count} of its {model.total} tensors"
    said = f"{model.model} is different at the end: {unequal}, first {model.first}{forms}"
    return plain(said)


def as_json(v: Verdict) -> dict[str, Any]:
    """The verdict as `compare` writes it: every value, and the words for what has no short form."""
    written = asdict(v)
    del written["evidence"], written["remarks"]  # in words: `detail` and `notes`
    causes = [
        {"kind": c.kind, "words": c.text(LEDGERS), "advice": c.advice_text(LEDGERS)}
        for c in v.causes
    ]
    return {**written, "causes": causes, "unequal": unequal_as_json(v.unequal)}


def unequal_as_json(unequal: Sequence[Unequal], sides: Sides = LEDGERS) -> list[dict[str, Any]]:
    """Unequal fields with all their values; `field` is the whole of it in words."""
    return [
        {**asdict(each), "field": field_text(each), "words": sides.put_into(each.words)}
        for each in unequal
    ]


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
        compared = EVERY if all(v.every_link for v in verdicts.values()) else COMPARED
        return [f"identical: {len(verdicts) + 1} loops, {steps} steps, {compared}"]
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
    compared = EVERY if v.every_link else COMPARED
    return f"identical: {pair}, {v.steps} steps, {compared}{on}"


def _ranks(count: int) -> str:
    return f"{count} rank{'s' * (count != 1)}"


def lines(pair: str, v: Verdict) -> list[str]:
    """All that there is to say of one pair: the verdict, notes, what was equal, how it goes on.

    A line each, but for the curve, which is a table of our own. The likely cause stands first, then
    what is unequal, then all else.
    """
    said = _head(pair, v)
    if v.step is not None and v.steps:
        links = "every link" if v.every_link else "every link that was compared"
        said.append(f"equal before it: {v.steps} step{'s' * (v.steps != 1)}, in {links}")
    inside = {f"inside: {v.cause}"}  # which the first lines have said
    said = [plain(line) for line in (*said, *_other_causes(v))]
    said += [plain(note) for note in v.notes if note not in inside]
    if len(v.curve) > 1:
        said += [curve_title(v.curve), curve(v.curve)]
    return said


def _head(pair: str, v: Verdict) -> list[str]:
    """The verdict, what it most likely comes from, and what is unequal."""
    if v.verdict != "diverged" or not v.cause:
        said = [sentence(pair, v)]
        return [*said, *_cause(v)] if v.verdict != "identical" else said
    on = "" if v.rank is None else f"on rank {v.rank} "
    place = f"diverged: {pair} part {on}at step {v.step}, link {v.link}"
    return [place, *_cause(v), *(f"unequal: {each}" for each in _parts(_shown(v)))]


def _parts(shown: list[str]) -> list[str]:
    """All in one line; or a line each, where one of them is of several parts by itself."""
    several = len(shown) > 1 and any("; " in each for each in shown)
    return shown if several else ["; ".join(shown)]


def _cause(v: Verdict) -> list[str]:
    said = [f"likely cause: {v.cause}"] if v.cause else []
    return [*said, f"next: {v.advice}"] if v.advice else said


def _shown(v: Verdict) -> list[str]:
    """What is unequal of the link that is named; what follows from it is left to `--json`."""
    own = [u for u in v.unequal if u.link == v.link and u.weight != NOTE]
    if not own or (v.reason is not None and v.reason is not Reason.ONE_RUN_ENDS):
        return [v.detail]
    shown = own if len(own) == FIRST_FIELDS + 1 else own[:FIRST_FIELDS]
    more = [f"and {len(own) - len(shown)} more"] if len(own) > len(shown) else []
    return [*map(unequal_text, shown), *more]


def _other_causes(v: Verdict) -> list[str]:
    """Those beside the likeliest, which tell something of their own."""
    return [f"also: {cause.text(LEDGERS)}" for cause in v.causes[1:]]


def exit_code(verdict: Verdict) -> int:
    """The command line's, wherever something was compared."""
    return {"identical": 0, "diverged": 1, "incomparable": InputError.exit_code}[verdict.verdict]
