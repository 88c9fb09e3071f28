"""The notes of all steps made differences: what is one, what does nothing, what only follows."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reference.ledger.link_table import METRICS
from reference.ledger.record import Record
from reference.lockstep.batch_differences import (
    CONTENT,
    KINDS,
    MADE,
    batch_differences,
    has_other_rows,
)
from reference.lockstep.links import SEED
from reference.lockstep.pair import PairRun
from reference.lockstep.pass_weights import pass_weights

# What any two runs of other seeds have: told last.
OF_A_SEED = (("batch", "values"), ("rng", "generators"), ("weights", "tensors"))
# The likeliest causes of other results first; within a link, in the order of the notes.
ORDER = (
    ("weights", "parameters alone"),
    ("batch", "passes"),
    ("forward", ""),
    ("gradient", ""),
    ("zeroed", ""),
    ("batch", MADE),
    ("mode", ""),
    ("optimizer", ""),
    ("clip", ""),
    ("schedule", ""),
    ("update", ""),
    ("rng", ""),
    ("batch", ""),
    ("weights", ""),
    ("metrics", ""),
    *OF_A_SEED,
)


@dataclass
class Difference:
    """One difference between two trainings.

    Attributes:
        link: Of a step.
        field: What of it.
        steps: In which it is.
        notes: Of those steps.
        a: A's value in the first of them.
        b: B's.
    """

    link: str
    field: str
    notes: list[Record] = dataclasses.field(default_factory=list)

    @property
    def steps(self) -> list[int]:
        """In which it is, each once."""
        return list(dict.fromkeys(note["step"] for note in self.notes))

    @property
    def first(self) -> Record:
        """Its first note."""
        return self.notes[0]

    @property
    def a(self) -> Any:
        """A's value, at first."""
        return self.first["a"]

    @property
    def b(self) -> Any:
        """B's value, at first."""
        return self.first["b"]


@dataclass
class Found:
    """All that is unequal in two trainings.

    Attributes:
        differences: Independent ones, the likeliest cause first.
        nothing: Those that do nothing by themselves.
        unsure: What may follow from targets that no hook sees, and that stayed B's own.
        cannot: What couldn't be put in place, each with its link and first step.
        uncompared: Links that couldn't be held against A's, each with its steps.
    """

    differences: list[Difference]
    nothing: list[Difference]
    unsure: list[Difference]
    cannot: list[Record]
    uncompared: list[Record]


def find(run: PairRun) -> Found:
    """What the notes of two trainings come to."""
    plain = [n for n in run.notes if "cannot" not in n and "uncompared" not in n]
    # What comes after the last step moves nothing: passes that no step takes, evaluations.
    plain = [n for n in plain if n["link"] == METRICS or n["step"] <= max(1, run.steps)]
    notes = _without_uneven(plain, run.steps)
    cannot = [n for n in run.notes if "cannot" in n]
    uncompared = [*(n for n in run.notes if "uncompared" in n), *_after_forward(plain)]
    causes = _causes(notes)
    uneven = {n["step"] for n in notes if n["field"] == "passes"}
    told: list[Difference] = []
    nothing: list[Difference] = []
    unsure: list[Difference] = []
    for difference in [*_grouped(notes), *pass_weights(notes), *batch_differences(notes)]:
        if _follows(difference, causes, uneven):
            continue
        if all(note.get("blind") for note in difference.notes):
            unsure.append(difference)
            continue
        (nothing if _does_nothing(difference, run, causes) else told).append(difference)
    _join_losses(told)
    _join_bounds(told, nothing)
    return Found(sorted(told, key=_rank), nothing, unsure, _once(cannot), _by_link(uncompared))


def _without_uneven(notes: Sequence[Record], total: int) -> list[Record]:
    """Without what follows from more passes, or other numbers of rows: weights, and what is drawn.

    Once one step had more of them, epochs begin at other steps: where generators stand elsewhere,
    or a loss weighs more, in a few of the steps from there on, it follows from that.
    """
    uneven = {n["step"] for n in notes if n["field"] == "passes"}
    other = uneven | {n["step"] for n in notes if has_other_rows(n)}
    if not other:
        return list(notes)
    shifted = range(min(other), total + 1)
    drawn = {n["step"] for n in notes if n["link"] == "rng"}
    weighed = {n["step"] for n in notes if n["link"] == "gradient" and n.get("weight")}
    after = {step + 1 for step in uneven}
    follows = {"rng": uneven | after, "gradient": {*uneven}}
    for link, steps, share in (("rng", drawn - after, 1), ("gradient", weighed - uneven, 2)):
        if share * len(steps & {*shifted}) < len({*shifted} - follows[link]):
            follows[link] |= {*shifted}
    return [
        n
        for n in notes
        if not (n["link"] == "rng" and n["step"] in follows["rng"] and n["of"] != SEED)
        and not (n["link"] == "gradient" and n["step"] in follows["gradient"] and n.get("weight"))
        and not (n["link"] == METRICS and n["step"] in uneven)  # a teacher's passes count as one
    ]


def _grouped(notes: Iterable[Record]) -> list[Difference]:
    """One for each field of a link; what is of a batch's rows, of generators and groups apart."""
    found: dict[Any, Difference] = {}
    for note in notes:
        if note.get("follows"):
            continue
        link, name = note["link"], note["field"]
        if link == "batch" and name.split()[0] in KINDS and not note.get("soft"):
            continue  # `batch_differences` has them
        if link == "batch" and name == CONTENT:
            continue
        key: Any = (link, name)
        if link == METRICS and name != "evaluations":
            key, name = link, "evaluation"
        if link == "rng":
            name = note["of"]
            key = link, name, bool(note.get("soft"))
        elif link == "optimizer" and "count" in note:
            key = (link, name, note["first"])
        elif (link, name) == ("weights", "tensors"):
            key = (link, name, note["step"] == 1)
            name = name if note["step"] == 1 else "changed between steps"
        found.setdefault(key, Difference(link, name)).notes.append(note)
    return list(found.values())


def _causes(notes: Sequence[Record]) -> dict[str, set[int]]:
    """Fields that were left as they were, and then something computed was unequal; the steps."""
    causes: dict[str, set[int]] = {}
    for note in notes:
        for name in note.get("because", []):
            causes.setdefault(name, set()).add(note["step"])
    soft = [n for n in notes if n["link"] == "optimizer" and n.get("soft")]
    updates = {n["step"] for n in notes if n["link"] == "update" and not n.get("follows")}
    for note in soft:
        if note["step"] in updates:
            causes.setdefault(note["field"], set()).add(note["step"])
    return causes


def _follows(difference: Difference, causes: dict[str, set[int]], uneven: set[int]) -> bool:
    """Whether another difference explains all of it."""
    if difference.link == "forward" and difference.field in ("outputs", "loss"):
        return all(note["because"] for note in difference.notes)
    if (difference.link, difference.field) == ("update", "buffers"):
        # From a momentum, from other outputs or more passes: that is told where it begins.
        return all(
            note["because"] or note.get("follows") or note["step"] in uneven
            for note in difference.notes
        )
    if difference.link == "update":
        told = {n for n in causes if n == "class" or not n.startswith(("setting", "argument"))}
        steps: set[int] = set().union(*(causes[name] for name in told))
        return set(difference.steps) <= steps
    return False


def _does_nothing(difference: Difference, run: PairRun, causes: dict[str, set[int]]) -> bool:
    if difference.link == "mode" and difference.field == "training":
        matters = any(note["matters"] for note in difference.notes)
        return not matters and not run.drew & set(difference.steps)
    if difference.link == METRICS and difference.field == "evaluation":
        return all(note["soft"] for note in difference.notes)
    if not all(note.get("soft") for note in difference.notes):
        return False
    return difference.field not in causes


def _join_losses(told: list[Difference]) -> None:
    """Where outputs were unequal once, another loss is told of that step, and then its gradient."""
    later = next((d for d in told if (d.link, d.field) == ("gradient", "norm")), None)
    first = next((d for d in told if (d.link, d.field) == ("gradient", "loss")), None)
    if later is not None and first is not None and "roots" in later.first:
        later.notes += [{**later.first, "step": step} for step in first.steps]
        later.notes.sort(key=lambda note: note["step"])
        told.remove(first)


def _join_bounds(told: list[Difference], nothing: list[Difference]) -> None:
    """A clip's bounds in the steps in which it did nothing are part of the clip's difference."""
    if any(d.link == "clip" and d.field == "norm" for d in told):
        nothing[:] = [d for d in nothing if (d.link, d.field) != ("clip", "bound")]


def _rank(difference: Difference) -> int:
    exact = (difference.link, difference.field)
    if exact in ORDER:
        return ORDER.index(exact)
    return ORDER.index((difference.link, ""))


def _after_forward(notes: Sequence[Record]) -> list[Record]:
    """Gradients of steps whose forward pass was unequal for a reason that isn't known.

    Where a setting is the reason, the next step has A's, and its gradient is compared.
    """
    known = {n["step"] for n in notes if n.get("because")}
    followed = [n for n in notes if n["link"] == "gradient" and n.get("follows") == "forward"]
    last = max((n["step"] for n in notes), default=0)
    lacks = {n["step"] for n in followed if n["step"] not in known or n["step"] == last}
    why = "B's model computes in another way"
    return [{"step": step, "link": "gradient", "uncompared": why} for step in sorted(lacks)]


def _by_link(notes: Iterable[Record]) -> list[Record]:
    """One for each link and reason, with all of its steps."""
    found: dict[tuple[str, str], Record] = {}
    for note in notes:
        key = note["link"], note["uncompared"]
        steps = found.setdefault(key, {**note, "steps": []})["steps"]
        if note["step"] not in steps:
            steps.append(note["step"])
    return list(found.values())


def _once(notes: Iterable[Record]) -> list[Record]:
    """Each thing that couldn't be put in place, at its first step."""
    found: dict[tuple[str, str], Record] = {}
    for note in notes:
        found.setdefault((note["link"], note["cannot"]), {**note, "steps": 0})["steps"] += 1
    return list(found.values())
