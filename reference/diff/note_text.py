"""The notes beside a verdict, in words."""

from reference.diff.end_text import end_text
from reference.diff.evidence import Contradiction, HeaderDifference, LackingRanks, Sum
from reference.diff.inside_notes import CutInside, EqualInside, NotInside, PartsInside
from reference.diff.inside_text import inside_text
from reference.diff.notes import (
    BeginsLater,
    Envelope,
    FilesOfOneEnd,
    GeneratedInOtherBatches,
    GeneratorsAtEnd,
    GradientsAtEnd,
    HyperAtEnd,
    Lengths,
    MatchedByPosition,
    MissingLinks,
    ModelsOfOneEnd,
    MoreEvaluations,
    MoreRows,
    NoModelInCommon,
    NoScores,
    Note,
    NothingEvaluated,
    NotLookedInto,
    OfOtherBatches,
    OlderEnd,
    OneRankAlone,
    OnRank,
    OtherParts,
    OtherRanks,
    PaddedOtherwise,
    PartBeside,
    PassesOfOne,
    SetsInOtherOrder,
    TensorsOfOneEnd,
    UncalledParameters,
    UnknownFields,
    UnreadOptimizer,
    Unsealed,
    UnseenPass,
    UnusedModel,
    WithoutEffect,
)
from reference.diff.replica_notes import EndsEarly, NoReplicas, OtherLengths, RanksPart
from reference.diff.replica_text import of_ranks_text, ranks_text
from reference.diff.sides import LEDGERS, Sides
from reference.diff.value_text import (
    distances_text,
    field_text,
    header_field_text,
    short,
    unequal_text,
)
from reference.ledger.link_table import NEED_SAME_MODEL
from reference.ledger.record import OLDEST, SCHEMA
from reference.messages import plain


def header_text(difference: HeaderDifference) -> str:
    """A header's field, and what is unequal in it."""
    return header_field_text(difference.field, difference.left, difference.right)


def contradiction_text(record: Contradiction, sides: Sides) -> str:
    """A record that contradicts itself: whose, where, and in what."""
    if record.what is Sum.LINES:
        return f"{sides.name(record.side)}'s lines aren't those that its end seals"
    place = f"step {record.step}, {record.link}"
    return f"{sides.name(record.side)}'s {place}: not its tensors' {record.what}"


def note_text(note: Note, sides: Sides = LEDGERS) -> str:
    """One note in a line.

    Args:
        note: The note.
        sides: What the two runs are called.
    """
    match note:
        case HeaderDifference():
            return f"not the same: {header_text(note)}"
        case MatchedByPosition(left, right):
            return (
                "parameters matched by position and shape, since their names differ: "
                f"{plain(left)} in {sides.in_first} is {plain(right)} in {sides.second}"
            )
        case NoModelInCommon():
            links = ", ".join(NEED_SAME_MODEL)
            return f"not compared: {links}, since the models' parameters differ"
        case Lengths(first, second):
            return f"{sides.first} has {first} steps, {sides.second} {second}"
        case UnusedModel(side, kind, count, whole):
            until = "" if whole else " until they part"
            model = f"{plain(kind)} ({count} parameter{'s' * (count != 1)})"
            return (
                f"not compared: {model}, which only {sides.name(side)} has, and which takes part "
                f"in no step{until}"
            )
        case MissingLinks(which, links):
            whose = sides.both if len(which) > 1 else sides.name(which[0])
            return f"not compared: {', '.join(links)}, which {whose} lacks"
        case UnseenPass(side, step, in_evaluation, why):
            place = f"the evaluation after step {step}" if in_evaluation else f"step {step}"
            return f"{place} of {sides.name(side)} has a pass that couldn't be recorded: {why}"
        case UnknownFields(side, fields):
            names = ", ".join(sorted(map(short, fields)))
            return (
                f"not compared: {names}, which {sides.name(side)} doesn't have as schema {SCHEMA} "
                "does"
            )
        case MoreEvaluations(side, count, step):
            several = f"{count} evaluations" if count > 1 else "an evaluation"
            return (
                f"not compared: {several} that the other run didn't make, in {sides.name(side)}, "
                f"{'the first ' if count > 1 else ''}after step {step}"
            )
        case MoreRows(side, count):
            return (
                f"{count} row{'s' * (count != 1)} more in {sides.name(side)}: an evaluation that "
                "the other run didn't make, or different rows; evaluations that no score ends "
                "stand in a ledger as one"
            )
        case UncalledParameters(side, count, step):
            return (
                f"not seen: what {count} parameter{'s' * (count != 1)} of no called model "
                f"{'are' if count != 1 else 'is'} used for, in {sides.name(side)}, first in step "
                f"{step}; gradients, weights and updates were compared"
            )
        case PassesOfOne(first, second, step):
            counts = [(first, sides.first), (second, sides.second)]
            many = " and ".join(f"{count} in {whose}" for count, whose in counts if count)
            return (
                f"not compared: what forward passes that only one run makes give, {many}, the "
                f"first in step {step}; gradients, weights and updates were compared"
            )
        case PaddedOtherwise(step):
            return (
                f"not seen: whether zeros at the ends of rows are padding, in the evaluation after "
                f"step {step}; the runs have different numbers of them, and no attention_mask says "
                "it"
            )
        case SetsInOtherOrder(step):
            return (
                f"in a different order: sets of rows that are evaluated after step {step}; each "
                "is the same, and so is what models give for it"
            )
        case NotLookedInto(name, step):
            return f"not seen: {short(name)}, in the evaluation after step {step}"
        case GeneratedInOtherBatches(step):
            return (
                "not compared: what is generated after the first pass of each batch, in the "
                f"evaluation after step {step}; these passes are of different batches or shapes"
            )
        case OfOtherBatches(names, step):
            return (
                f"not compared: {', '.join(map(short, names))}, in the evaluation after step "
                f"{step}; what goes by the batch can't be, since the runs' batches are different"
            )
        case WithoutEffect():
            return _without_effect_text(note)
        case Contradiction():
            said = contradiction_text(note, sides)
            return f"{said}: edited, or not written by this package"
        case BeginsLater():
            return _begins_later_text(note, sides)
        case PartBeside(step, field):
            return f"yet the two part at step {step}, link forward: {unequal_text(field, sides)}"
        case PartsInside() | EqualInside() | CutInside() | NotInside():
            return inside_text(note, sides)
        case NothingEvaluated():
            return (
                "not compared: any evaluation; no model was called for one, and what a script "
                "computes from weights by itself isn't seen"
            )
        case NoScores():
            return (
                "not compared: scores; what models gave in evaluations is equal, and what a script "
                "makes of it (a threshold, a metric) isn't seen"
            )
        case Unsealed(which):
            whose = sides.both if len(which) > 1 else sides.name(which[0])
            return f"not seen: whether {whose} was edited; schema {OLDEST} has no seal"
        case ModelsOfOneEnd(kind, copies, first, second):
            what = (
                f"copies of {plain(kind)}" if copies else f"models {plain(kind)} that don't train"
            )
            return f"not compared at the end: {what}, {first} and {second} of them"
        case OlderEnd(which):
            whose = sides.both if len(which) > 1 else sides.name(which[0])
            return (
                "not compared at the end: what optimizers keep, generators, and saved weights; "
                f"{whose}, of an older schema, lacks them"
            )
        case UnreadOptimizer(side, kind, why):
            return (
                f"not compared at the end: what {plain(kind)} keeps, in {sides.name(side)}: {why}"
            )
        case HyperAtEnd() | GeneratorsAtEnd() | GradientsAtEnd() | OtherParts():
            return end_text(note, sides)
        case FilesOfOneEnd(side, count, first, why):
            files = f"{count} file{'s' * (count != 1)} of weights, first {plain(first or 'memory')}"
            said = f"which couldn't be read: {plain(why)}" if why else "without its like"
            return f"not compared at the end: {files}, {said}, in {sides.name(side)}"
        case TensorsOfOneEnd(count, first):
            return (
                f"not compared after the last step: {count} tensors, first {plain(first)}, of "
                "models that only one run used"
            )
        case LackingRanks():
            return f"not compared: {lacking_text(note, sides)}"
        case OtherRanks(ranks, verdict, step, link):
            return f"{ranks_text(ranks)}: {verdict}" + (
                "" if step is None else f", step {step}, link {link}"
            )
        case OneRankAlone(side, processes):
            return (
                f"not compared: the other ranks; {sides.name(side)} is of one of {processes} "
                "processes; give the folders of both runs"
            )
        case OnRank(rank, of_rank):
            return f"rank {rank}: {note_text(of_rank, sides)}"
        case NoReplicas() | RanksPart() | EndsEarly() | OtherLengths():
            return of_ranks_text(note, sides)
        case Envelope(distances):
            apart = distances_text(dict(distances))
            return f"within the envelope, so far apart at most: {apart}"


def _begins_later_text(note: BeginsLater, sides: Sides) -> str:
    late, whole = sides.name(note.side), sides.name(1 - note.side)
    said = f"{late} begins where {whole}'s step {note.step + 1} does"
    if note.given:
        return f"{said}, as --offset has it; steps have {whole}'s numbers"
    why = f"its first weights are those that {whole} had after step {note.step}"
    several = (
        f", the last of {note.candidates} steps with these weights" if note.candidates > 1 else ""
    )
    return f"{said}: {why}{several}; steps have {whole}'s numbers"


def lacking_text(lacking: LackingRanks, sides: Sides) -> str:
    """Which run has no ledger of which ranks."""
    both = set(lacking.first) & set(lacking.second)
    each = [
        (f"no ledger of {{}} in {sides.both}", both),
        *(
            (f"no ledger of {{}} in {sides.name(side)}'s folder", set(ranks) - both)
            for side, ranks in enumerate((lacking.first, lacking.second))
        ),
    ]
    return "; ".join(said.format(ranks_text(sorted(ranks))) for said, ranks in each if ranks)


def _without_effect_text(note: WithoutEffect) -> str:
    so_far = "of no effect" if note.whole else "unequal before that, to no effect until then"
    what = f"{note.what.link} {short(field_text(note.what))}"
    how = "only in one" if note.only_in_one else "unequal"
    several = note.steps > 1
    where = f"in {note.steps} steps, the first {note.first}" if several else f"in step {note.first}"
    return f"{so_far}: {what}, {how} {where}"
