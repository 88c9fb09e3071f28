"""Two runs compared step by step, as they come: the first step and link in which they part.

Used by `python -m reference diff A B`, which reads two files, and by `explain`, which compares a
run that is still going on.
"""

from typing import Any

from reference.diff.closure_passes import PASS, told_before
from reference.diff.divergence import Divergence
from reference.diff.evaluation_pairs import aligned
from reference.diff.learning_rates import Rates
from reference.diff.link_comparators import COMPARATORS, HARD, SOFT, Pair, Unequal, metrics
from reference.diff.parameter_matching import Matching, picked
from reference.diff.self_contradiction import contradiction
from reference.diff.unmatched_models import first_other, takes_part, trained_by_one
from reference.diff.value_text import both, short
from reference.errors import InputError
from reference.ledger.link_table import DECISIVE, LINKS, METRICS, NEED_SAME_MODEL
from reference.ledger.record import Item, Record, is_newer
from reference.ledger.schema import check, known
from reference.ledger.steps import Group

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions", "platform", "cpu_capability", "world_size")
# What runs may differ in on purpose; named beside a verdict.
NAMED = ("schema", "data", "checkpoint")
# What reading a record may raise that somebody edited in a way that no check foresaw.
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)
SIDES = ("the first", "the second")


class Comparison:
    """Two runs, step by step as they come. Holds one step of each, however long they are."""

    def __init__(self, left: Record, right: Record) -> None:
        self.steps = 0  # equal so far
        self.divergence: Divergence | None = None
        self.missing: dict[str, set[str]] = {}  # a link -> the sides that lack it somewhere
        self.unseen: dict[str, tuple[str, str]] = {}  # a side -> where first, and why
        self.other_models = ""  # why their tensors can't be compared
        self.matching = Matching()
        self.extra: dict[
            str, tuple[int, int]
        ] = {}  # a side -> how many of its own, the first's step
        self.unknown: dict[str, set[str]] = {}  # a side of a newer schema -> fields nobody knows
        self.newer = [is_newer(header) for header in (left, right)]
        self.surroundings = _unequal_fields(left, right, SURROUNDINGS)
        self.named = _unequal_fields(left, right, NAMED)
        self.edited = ""  # the first record that contradicts itself, and where in it
        self._idle: dict[str, tuple[int, int]] = {}  # unequal to no effect -> how often, first step
        self._rates = Rates()
        self._same_rates = True  # after the last step
        self._tensors: list[Record] = [{}, {}]  # the last updates', which weights may refer to

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
            self.matching.add(left.models, right.models)
            self.divergence = self._evaluations(left.evaluations, right.evaluations)
        if left.step is not None and right.step == left.step and self.newer[0] == self.newer[1]:
            self._record(0, left.step)
            right.step.same_as(left.step)
        a, b = (self._record(side, g.step) for side, g in enumerate((left, right)))
        if self.divergence is None and a is not None and b is not None:
            self.divergence = self._step(a, b, alike=a is b)
            if self.divergence is None:
                self.steps += 1
        return self.divergence

    def _record(self, side: int, item: Item | None) -> Record | None:
        """A step as it should be; of a newer schema, what of it is as this one has it."""
        if item is None:
            return None
        if not self.newer[side]:
            return check(item)
        record, others = known(item)
        if others:
            self.unknown.setdefault(SIDES[side], set()).update(others)
        return record

    def _evaluations(self, left: list[Record], right: list[Record]) -> Divergence | None:
        """Those that both made at the same step; evaluating more often is no other training."""
        if self.matching.left_over and not self.matching.pairs:
            return None
        for step in sorted({e["step"] for e in (*left, *right)}):
            ours, theirs = ([e for e in side if e["step"] == step] for side in (left, right))
            for a, b in aligned(ours, theirs):
                if self._has_unseen(a, b):
                    continue
                unequal = list(metrics(Pair(a, b)))
                if any(u.weight == HARD for u in unequal):
                    return Divergence(step, METRICS, unequal, a, b)
            more = len(theirs) - len(ours)
            if more:
                count, first = self.extra.get(SIDES[more > 0], (0, step))
                self.extra[SIDES[more > 0]] = (count + abs(more), first)
        return None

    def _has_unseen(self, *pair: Record) -> bool:
        """Whether a pass of either evaluation couldn't be recorded: nothing of it is compared."""
        for side, record in zip(SIDES, pair, strict=True):
            if "unseen" in record:
                self.missing.setdefault(METRICS, set()).add(side)
                place = f"the evaluation after step {record['step']}"
                self.unseen.setdefault(side, (place, str(record["unseen"])))
        return any("unseen" in record for record in pair)

    def idle_notes(self, *, whole: bool) -> list[str]:
        """What was unequal in equal steps, in words; of whole runs the rates that none had, too."""
        idle = dict(self._idle)
        if whole and not self._same_rates:
            idle["schedule next_learning_rate, unequal"] = (1, self.steps)
        return [
            f"{what} in {count} steps, the first {first}"
            if count > 1
            else f"{what} in step {first}"
            for what, (count, first) in idle.items()
        ]

    def _note_idle(self, found: list[Unequal], step: int) -> None:
        """Once for all passes of a step; a loss that only one run shows is no difference."""
        told = set()
        for one in found:
            field, only = PASS.sub("", short(one.field)), None in (one.left, one.right)
            if not (only and one.link == "forward"):
                told.add(f"{one.link} {field}, {'only in one' if only else 'unequal'}")
        for what in sorted(told):
            count, first = self._idle.get(what, (0, step))
            self._idle[what] = (count + 1, first)

    def _step(self, a: Record, b: Record, *, alike: bool) -> Divergence | None:
        """`alike`: they are the same bytes."""
        links = [link for link in LINKS if self._both_have(link, a, b)]
        self._look_for_others(a, b)
        if self.other_models:
            links = [link for link in links if link not in NEED_SAME_MODEL]
        elif alike and self.matching.in_place:
            self._remember((a, a), a, a)
            return None
        left, right = (self._whole(side, record) for side, record in enumerate((a, b)))
        if not self.edited and self.matching.in_place and not alike:
            for side, record in enumerate((left, right)):
                where = "" if self.newer[side] else contradiction(record)
                if where and not self.edited:
                    self.edited = f"{SIDES[side]} ledger's {where}"
        found = self._compare(left, right, links)
        if found is None:
            self._remember((left, right), a, b)
        return found

    def _look_for_others(self, a: Record, b: Record) -> None:
        """A model that fits nowhere does no harm until it takes part in a step."""
        if self.other_models:
            return
        more = trained_by_one(self.matching, (a, b))
        if more:
            self.other_models = f"{short(more)}, which is trained, stands in one of them only"
        elif self.matching.left_over and (
            not self.matching.pairs or takes_part(self.matching, (a, b))
        ):
            self.other_models = first_other(self.matching)

    def _both_have(self, link: str, a: Record, b: Record) -> bool:
        for side, record in zip(SIDES, (a, b), strict=True):
            if record.get(link) is None:
                self.missing.setdefault(link, set()).add(side)
                if "unseen" in record:
                    place = f"step {record['step']}"
                    self.unseen.setdefault(side, (place, str(record["unseen"])))
        return a.get(link) is not None and b.get(link) is not None

    def _compare(self, a: Record, b: Record, links: list[str]) -> Divergence | None:
        number, names = self.steps + 1, self.matching.names
        # A step without a forward pass beside one with it: the rates are those of other moments.
        paired = _has_pass(a) == _has_pass(b)
        rate = self._rates.unequal(a, b, number, names) if "schedule" in links and paired else None
        if rate is not None and rate.step < number:
            return Divergence(rate.step, rate.unequal.link, [rate.unequal], a, b)
        pair = Pair(a, b, names, rate)
        soft: list[Unequal] = []
        for link in links:
            found = list(COMPARATORS[link](pair))
            # A soft one is settled by what follows from it: where that isn't compared, it counts.
            settled = set(links) >= DECISIVE
            hard = any(u.weight == HARD or not settled for u in found)
            if rate is not None and link in ("update", "schedule"):
                return Divergence(number, rate.unequal.link, [*soft, rate.unequal], a, b)
            if hard:
                told = told_before(pair, link, found)
                if told:
                    return Divergence(number, told[0].link, [*soft, *told, *found], a, b)
                return Divergence(number, _cause(soft, link), [*soft, *found], a, b)
            soft += found
        self._note_idle(soft, number)
        return None

    def _remember(self, pair: tuple[Record, Record], a: Record, b: Record) -> None:
        """`pair`: both with their parameters in the first run's places."""
        self._same_rates = _next_rates(pair[0]) == _next_rates(pair[1])
        self._rates.remember(pair[0], self.steps + 1, same=self._same_rates)
        self._tensors = [record.get("update") or {} for record in (a, b)]

    def _whole(self, side: int, record: Record) -> Record:
        """A step with the lists of tensors that it leaves out, as another link has them.

        Where the two runs have their parameters in other places, in those of the first.
        """
        filled = dict(record)
        others = (("weights", self._tensors[side]), ("clip", record.get("gradient") or {}))
        for link, other in others:
            value = record.get(link)
            if isinstance(value, dict) and "tensors" not in value and "tensors" in other:
                filled[link] = {**value, "tensors": other["tensors"]}
        kept, earlier = ((r or {}).get("buffers") for r in (filled.get("weights"), others[0][1]))
        if kept and earlier and "tensors" not in kept:
            filled["weights"] = {**filled["weights"], "buffers": {**earlier, **kept}}
        if self.matching.in_place or self.other_models:
            return self._numbered(side, filled)
        return self._numbered(side, picked(filled, self.matching.places(side)))

    def with_named_buffers(self, side: int, value: Any) -> Any:
        """Weights, or an end, whose buffers have the names of the first run's same model."""
        kept = value.get("buffers") if isinstance(value, dict) else None
        if not isinstance(kept, dict) or "tensors" not in kept:
            return value
        tensors = self.matching.with_one_numbering(side, kept["tensors"])
        return {**value, "buffers": {**kept, "tensors": tensors}}

    def _numbered(self, side: int, record: Record) -> Record:
        """With each forward pass's model, and each buffer's, by its number in the first run."""
        for link in ("weights", "update"):
            record[link] = self.with_named_buffers(side, record.get(link))
        for link in ("batch", "forward"):
            for i, one in enumerate(record.get(link) or []):
                number = one.get("model", 0)
                if self.matching.model(side, number) != number:
                    passes = list(record[link])
                    passes[i] = {**one, "model": self.matching.model(side, number)}
                    record[link] = passes
        return record


def _has_pass(record: Record) -> bool:
    """Whether a step has a forward or a backward pass of its own, or it isn't known."""
    return bool(record.get("batch", True)) or bool(
        (record.get("gradient") or {}).get("backward_passes", True)
    )


def _next_rates(record: Record) -> Any:
    return (record.get("schedule") or {}).get("next_learning_rate")


def _unequal_fields(left: Record, right: Record, names: tuple[str, ...]) -> list[str]:
    return [
        f"{name} ({_differing(left.get(name), right.get(name))})"
        for name in names
        if name in left and name in right and left[name] != right[name]
    ]


def _cause(soft: list[Unequal], hard: str) -> str:
    """The first link that may be why the hard one is unequal, or else that one."""
    return next((u.link for u in soft if u.weight == SOFT), hard)


def _differing(left: Any, right: Any) -> str:
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(k for k in {**left, **right} if left.get(k) != right.get(k))
        return ", ".join(f"{k}: {both(left.get(k), right.get(k))}" for k in keys)
    return both(left, right)
