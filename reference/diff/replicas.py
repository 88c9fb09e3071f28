"""Two ranks of one run that should hold the same weights, and the step at which they part.

Nothing in a ledger says that two ranks are replicas. What they do says it:

- they train the same parameters, by name and shape;
- in the first step in which their forward passes are unequal, what comes of it is equal all the
  same: the gradients, as they are accumulated or as the optimizer gets them, or the update. Only
  ranks that share their gradients do that.

Such ranks part in the first step that leaves them unequal weights, or begins with them. Not so
where the weights are equal again in a later step: then they are brought together by other means
(an average every few steps). Shards, stages of a pipeline, LocalSGD and separate trainings share
no gradients, so nothing is said of them; ranks that evaluate have no steps.

A buffer must be equal, too, where the first step that has it leaves it as it was on both ranks: no
broadcast has put it right. Running statistics change, and each rank has its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reference.diff.learning_rates import Rates, next_rates
from reference.diff.link_comparators import COMPARATORS
from reference.diff.one_numbering import OneNumbering
from reference.diff.parameter_matching import Matching
from reference.diff.replica_notes import Why
from reference.diff.tensor_differences import buffers, tensors
from reference.diff.unequal import NOTE, Pair, Unequal
from reference.ledger.record import Record

TOLD = ("optimizer", "schedule")  # links that say why an update is unequal


@dataclass(frozen=True)
class Parting:
    """Where two ranks part: the step, the link, what is unequal, and the link's hash in both."""

    step: int
    link: str
    unequal: tuple[Unequal, ...]
    hashes: tuple[object, object]


class Replicas:
    """Two ranks' steps as they come.

    Attributes:
        shared: Whether they share their gradients; None as long as nothing tells.
        steps: How many steps both have, with their weights.
    """

    def __init__(self) -> None:
        self.shared: bool | None = None
        self.steps = 0
        self._same_models = True
        self._are_shards = False  # each process has a part of a parameter
        self._by_gradient = False  # they are equal as they are accumulated
        self._parting: Parting | None = None
        self._together_again = False
        self._begin_alike = False  # with the same weights
        self._gradient_in_common = False  # in some step
        self._matching = Matching()
        self._numbering = OneNumbering(self._matching)
        self._rates = Rates()
        self._seen_buffers: set[str] = set()
        self._unequal_buffer: Parting | None = None

    @property
    def is_settled(self) -> bool:
        """Whether they are no replicas, and nothing that is still to come says more of it."""
        apart = self.shared is False and not self._may_be_alone
        return not self._same_models or self._together_again or apart

    @property
    def _may_be_alone(self) -> bool:
        """Whether they begin as one model, and nothing has been in common since."""
        return self._begin_alike and not self._gradient_in_common and not self._are_shards

    @property
    def why_not(self) -> Why:
        """Why they are no replicas."""
        if not self._same_models:
            return Why.OTHER_MODELS
        if self._together_again:
            return Why.TOGETHER_AGAIN
        if self._are_shards:
            return Why.SHARDS
        if self.shared is None:
            return Why.NOT_TOLD
        return Why.ALONE if self._may_be_alone else Why.NOT_SHARED

    @property
    def are_replicas(self) -> bool:
        """Whether they must be equal, by the rule."""
        return self.shared is True and not self.is_settled

    @property
    def parting(self) -> Parting | None:
        """Where they part, if they must be equal and aren't."""
        if not self.are_replicas:
            return None
        parts = [each for each in (self._parting, self._unequal_buffer) if each is not None]
        return min(parts, key=lambda each: each.step, default=None)

    def add_models(self, left: list[Record], right: list[Record]) -> None:
        """Takes the models that either has trained since the last step."""
        if left or right:
            self._matching.add(left, right)
            self._same_models = self._matching.in_place
            shared = [len(parameter) > 2 for m in left for parameter in m["parameters"]]
            self._are_shards = self._are_shards or any(shared)

    def add_step(self, left: Record, right: Record) -> None:
        """Takes the next step of both."""
        if self.is_settled:
            return
        ours, theirs = (
            self._numbering.step(side, record, rearrange=False)
            for side, record in enumerate((left, right))
        )
        self._numbering.remember(left, right)
        if not all(_has_weights(record) for record in (ours, theirs)):
            return  # a pass that couldn't be recorded
        self.steps += 1
        step = int(ours["step"])
        if self.shared is None:
            self._look_for_sharing(ours, theirs)
        equal = [_equal(link, ours, theirs) for link in ("weights", "update")]
        self._begin_alike = self._begin_alike or (self.steps == 1 and equal[0])
        in_common = any(_equal(link, ours, theirs) for link in ("gradient", "clip"))
        self._gradient_in_common = self._gradient_in_common or in_common
        rate = self._rates.difference(ours, theirs, step, self._matching.names)
        pair = Pair(ours, theirs, self._matching.names, rate)
        if self._parting is not None:
            self._together_again = any(equal)
        elif not all(equal):
            self._parting = self._part(pair, step)
        if self._unequal_buffer is None:
            self._look_at_buffers(pair, step)
        self._rates.remember(ours, step, same=next_rates(ours) == next_rates(theirs))

    def _look_for_sharing(self, ours: Record, theirs: Record) -> None:
        """Whether unequal passes gave something that is equal, and isn't nothing."""
        passes = [(each.get("batch"), each.get("forward")) for each in (ours, theirs)]
        if passes[0] == passes[1] or not all(each.get("forward") for each in (ours, theirs)):
            return
        if not any((each.get("clip") or {}).get("norm") for each in (ours, theirs)):
            return
        self._by_gradient = _equal("gradient", ours, theirs)
        if self._by_gradient or _equal("clip", ours, theirs):
            self.shared = True
        elif any(_hash("weights", each) != _hash("update", each) for each in (ours, theirs)):
            self.shared = _equal("weights", ours, theirs) and _equal("update", ours, theirs)
        # Else a rate of 0, as a warm-up's first one, leaves any weights as they were.

    def _part(self, pair: Pair, step: int) -> Parting:
        """The first link that is unequal, in a step with unequal weights."""
        if not _equal("weights", pair.left, pair.right):
            return self._parting_in("weights", pair, step, _tensors("weights", pair))
        if not _equal("clip", pair.left, pair.right):
            by_gradient = self._by_gradient and not _equal("gradient", pair.left, pair.right)
            link = "gradient" if by_gradient else "clip"
            return self._parting_in(link, pair, step, COMPARATORS[link](pair))
        for link in TOLD:
            told = [u for u in _compared(link, pair) if u.weight != NOTE]
            if told:
                at = pair.rate.step if pair.rate is not None and link == "schedule" else step
                return self._parting_in(link, pair, at, told)
        return self._parting_in("update", pair, step, _tensors("update", pair))

    def _parting_in(self, link: str, pair: Pair, step: int, unequal: Iterable[Unequal]) -> Parting:
        hashes = tuple(
            _hash("update" if link in TOLD else link, r) for r in (pair.left, pair.right)
        )
        return Parting(step, link, tuple(unequal), (hashes[0], hashes[1]))

    def _look_at_buffers(self, pair: Pair, step: int) -> None:
        """Those that this step has first, and leaves as they were."""
        before, after = (
            [(record[link].get("buffers") or {}).get("tensors", {}) for record in _both(pair)]
            for link in ("weights", "update")
        )
        new = [name for name in before[0] if name in before[1] and name not in self._seen_buffers]
        self._seen_buffers.update(new)
        kept = [n for n in new if all(x[n] == y.get(n) for x, y in zip(before, after, strict=True))]
        left, right = ({name: values[name] for name in kept} for values in before)
        if left != right:
            values = [{"buffers": {"hash": str(each), "tensors": each}} for each in (left, right)]
            unequal = tuple(buffers("weights", *values))
            self._unequal_buffer = Parting(step, "weights", unequal, (str(left), str(right)))


def _both(pair: Pair) -> tuple[Record, Record]:
    return pair.left, pair.right


def _compared(link: str, pair: Pair) -> Iterator[Unequal]:
    if all(link in record for record in _both(pair)):
        yield from COMPARATORS[link](pair)


def _tensors(link: str, pair: Pair) -> Iterator[Unequal]:
    """Of the weights alone: what a model keeps beside them may be each rank's own."""
    return tensors(link, pair.left[link], pair.right[link], pair.names)


def _has_weights(record: Record) -> bool:
    return all(_hash(link, record) for link in ("weights", "update"))


def _hash(link: str, record: Record) -> object:
    return (record.get(link) or {}).get("hash")


def _equal(link: str, left: Record, right: Record) -> bool:
    return _hash(link, left) is not None and _hash(link, left) == _hash(link, right)
