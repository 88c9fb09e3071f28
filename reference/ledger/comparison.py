"""Two runs compared step by step, as they come: the first step and link in which they part.

Used by `python -m reference diff A B`, which reads two files, and by `explain`, which compares a
run that is still going on.
"""

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from reference.errors import InputError
from reference.ledger import LINKS, METRICS
from reference.ledger.links import COMPARE, HARD, NOTE, SOFT, Unequal, metrics, short
from reference.ledger.record import Item, Record
from reference.ledger.streams import Group

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions", "platform", "cpu_capability", "world_size")
# What runs may differ in on purpose; named beside a verdict.
NAMED = ("schema", "data", "checkpoint")
# What another model can still be compared in.
WITHOUT_TENSORS = ("batch", "rng", "mode")
# Links in which a difference shows that was of any effect.
DECISIVE = frozenset({"forward", "gradient", "update"})
# What reading a record may raise that somebody edited.
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)
SHOWN = 4  # unequal fields in a verdict's detail


@dataclass
class Divergence:
    """The first step that is unequal, and all that is unequal in it up to its hard link."""

    step: int
    link: str
    unequal: list[Unequal]
    left: Record = field(default_factory=dict)
    right: Record = field(default_factory=dict)

    @property
    def suspects(self) -> tuple[str, ...]:
        links = [u.link for u in self.unequal if u.weight != NOTE]
        return tuple(dict.fromkeys([self.link, *links]))

    def detail(self) -> str:
        """The fields of its link; then what else is unequal before the hard link."""
        own = [u for u in self.unequal if u.link == self.link and u.weight != NOTE]
        others = [u for u in self.unequal if u not in own]
        shown = [str(u) for u in own[:SHOWN]]
        if len(own) > SHOWN:
            shown.append(f"and {len(own) - SHOWN} more fields")
        also = [f"{u.link} {u}" for u in others[:SHOWN]]
        return "; ".join(shown) + (f" (also unequal: {'; '.join(also)})" if also else "")


class Comparison:
    """Two runs, step by step as they come. Holds one step of each, however long they are."""

    def __init__(self, left: Record, right: Record) -> None:
        self.steps = 0  # equal so far
        self.divergence: Divergence | None = None
        self.missing: dict[str, set[str]] = {}  # a link -> the sides that lack it somewhere
        self.other_models = ""
        self.surroundings = [
            f"{name} ({_differing(left.get(name), right.get(name))})"
            for name in SURROUNDINGS
            if name in left and name in right and left[name] != right[name]
        ]
        self.named = [
            f"{name} ({_differing(left.get(name), right.get(name))})"
            for name in NAMED
            if name in left and name in right and left[name] != right[name]
        ]
        self._names: list[str] = []
        self._tensors: Record = {}  # the last update's, which the next weights may refer to
        self._last_step: dict[int, int] = {}  # an optimizer -> the last step that it made
        self._base: dict[int, tuple[Any, Any]] = {}  # an optimizer -> both base rates at its first
        self._equal_line: Item | None = None  # the last step, if it was the same bytes

    def add(self, left: Group, right: Group) -> Divergence | None:
        """Compare what both wrote since their last step, and their next step.

        Raises InputError, naming where, for a record that isn't as its schema has it.
        """
        try:
            return self._add(left, right)
        except InputError:
            raise
        except MALFORMED as error:
            where = " and ".join(g.step.where for g in (left, right) if g.step is not None)
            raise InputError(
                f"{where or 'after the last step'}: a record isn't as its schema has it "
                f"({type(error).__name__}: {error}); edited or damaged, record the runs again"
            ) from None

    def _add(self, left: Group, right: Group) -> Divergence | None:
        if self.divergence is None:
            self._models(left.models, right.models)
            self.divergence = self._evaluations(left.evaluations, right.evaluations)
        if self.divergence is None and left.step is not None and right.step is not None:
            self.divergence = self._step(left.step, right.step)
            if self.divergence is None:
                self.steps += 1
        return self.divergence

    def _models(self, left: list[Record], right: list[Record]) -> None:
        for a, b in zip_longest(left, right):
            x = a and [list(p[:2]) for p in a["parameters"]]
            y = b and [list(p[:2]) for p in b["parameters"]]
            if x == y:
                self._names += [name for name, _ in x or []]
            elif not self.other_models:
                pairs = zip_longest(x or [], y or [])
                first = next(((p, q) for p, q in pairs if p != q), ("none", "none"))
                self.other_models = f"{short(first[0])} and {short(first[1])}"

    def _evaluations(self, left: list[Record], right: list[Record]) -> Divergence | None:
        """Those that both made at the same step; evaluating more often is no other training."""
        for step in sorted({e["step"] for e in left} & {e["step"] for e in right}):
            pairs = [[e for e in side if e["step"] == step] for side in (left, right)]
            for a, b in zip(*pairs, strict=False):
                unequal = list(metrics(a, b))
                if any(u.weight == HARD for u in unequal):
                    return Divergence(step, METRICS, unequal, a, b)
        return None

    def _step(self, left: Item, right: Item) -> Divergence | None:
        if left.line == right.line and all(_has(left.line, link) for link in LINKS):
            self._equal(left)
            return None
        a, b = left.record, right.record
        for item in (left, right):
            if item.record["step"] != self.steps + 1:
                raise InputError(
                    f"{item.where}: field step: {short(item.record['step'])} where "
                    f"{self.steps + 1} is next; edited or damaged, record the run again"
                )
        links = [link for link in LINKS if self._both_have(link, a, b)]
        if self.other_models:
            links = [link for link in links if link in WITHOUT_TENSORS]
        return self._compare(self._whole(a), self._whole(b), links)

    def _both_have(self, link: str, a: Record, b: Record) -> bool:
        for side, record in (("the first", a), ("the second", b)):
            if record.get(link) is None:
                self.missing.setdefault(link, set()).add(side)
        return a.get(link) is not None and b.get(link) is not None

    def _compare(self, a: Record, b: Record, links: list[str]) -> Divergence | None:
        number = self.steps + 1
        rate = self._rate(a, b) if "schedule" in links else None
        if rate is not None and rate.step < number:
            return rate
        soft: list[Unequal] = []
        for link in links:
            found = list(COMPARE[link](a, b, self._names)) if link in COMPARE else []
            if link == "optimizer" and rate is not None and rate.link == "optimizer":
                found += rate.unequal
            # A soft one is settled by what follows from it: where that isn't compared, it counts.
            settled = set(links) >= DECISIVE
            hard = any(u.weight == HARD or not settled for u in found)
            if rate is not None and link in ("update", "schedule"):
                return Divergence(number, rate.link, [*soft, *rate.unequal], a, b)
            if hard:
                return Divergence(number, _cause(soft, link), [*soft, *found], a, b)
            soft += found
        self._remember(a, b)
        return None

    def _rate(self, a: Record, b: Record) -> Divergence | None:
        """A step's learning rate is the schedule's work at the step before."""
        x, y = a["schedule"]["learning_rate"], b["schedule"]["learning_rate"]
        index = a.get("optimizer", {}).get("index", 0)
        base = [r.get("optimizer", {}).get("base_learning_rate") for r in (a, b)]
        left, right = self._base.get(index, (base[0], base[1]))
        x, y = (v[0] if isinstance(v, list) and len(v) == 1 else v for v in (x, y))
        if x == y or not a["schedule"]["learning_rate"] or not b["schedule"]["learning_rate"]:
            return None  # also where no parameter had a gradient, and so none a rate
        if index not in self._last_step:
            link = "optimizer" if left != right else "schedule"
            return Divergence(self.steps + 1, link, [Unequal(link, "learning_rate", x, y)], a, b)
        unequal = [Unequal("schedule", "next_learning_rate", x, y)]
        return Divergence(self._last_step[index], "schedule", unequal, a, b)

    def _remember(self, a: Record, b: Record) -> None:
        index = a.get("optimizer", {}).get("index", 0)
        self._last_step[index] = self.steps + 1
        bases = [r.get("optimizer", {}).get("base_learning_rate") for r in (a, b)]
        self._base.setdefault(index, (bases[0], bases[1]))
        self._tensors = a.get("update") or {}

    def _equal(self, item: Item) -> None:
        """Both lines are the same bytes: remember what the next step may need."""
        self._equal_line = item
        if len(self._last_step) == 1 and b'"index":0,' in item.line:
            self._last_step[0] = self.steps + 1
        else:
            self._remember(item.record, item.record)

    def _whole(self, record: Record) -> Record:
        """A step with the lists of tensors that it leaves out, as another link has them."""
        if self._equal_line is not None:
            self._tensors = self._equal_line.record.get("update") or {}
            self._equal_line = None
        filled = dict(record)
        for link, other in (("weights", self._tensors), ("clip", record.get("gradient") or {})):
            value = record.get(link)
            if isinstance(value, dict) and "tensors" not in value and "tensors" in other:
                filled[link] = {**value, "tensors": other["tensors"]}
        return filled


def _cause(soft: list[Unequal], hard: str) -> str:
    """The first link that may be why the hard one is unequal, or else that one."""
    return next((u.link for u in soft if u.weight == SOFT), hard)


def _has(line: bytes, link: str) -> bool:
    return b'"%s":' % link.encode() in line


def _differing(left: Any, right: Any) -> str:
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(k for k in {**left, **right} if left.get(k) != right.get(k))
        return ", ".join(f"{k}: {short(left.get(k))} and {short(right.get(k))}" for k in keys)
    return f"{short(left)} and {short(right)}"
