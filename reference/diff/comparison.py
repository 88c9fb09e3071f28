"""Two runs compared step by step, as they come: the first step and link in which they part.

`diff` compares two files with it, and `explain` a run that is still going on.
"""

from reference.diff.alike_models import exchanged
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.causes.other_models import other_models_causes
from reference.diff.closure_passes import causes_before_later_calls
from reference.diff.divergence import Divergence
from reference.diff.earlier_steps import Earlier
from reference.diff.evaluation_comparison import EvaluationComparison
from reference.diff.evidence import Contradiction, OtherModels, Sum, TrainedInOne
from reference.diff.gaps import Gaps
from reference.diff.header_differences import (
    NAMED,
    SURROUNDINGS,
    TOLD,
    header_differences,
    what_was_told,
)
from reference.diff.joined_optimizers import MALFORMED
from reference.diff.learning_rates import Rates, next_rates
from reference.diff.link_comparators import COMPARATORS, forward
from reference.diff.notes import PartBeside, WithoutEffect
from reference.diff.one_numbering import OneNumbering
from reference.diff.order_of_causes import in_order_of_cause, named_link
from reference.diff.parameter_matching import Matching
from reference.diff.passes_in_order import in_same_order, split_at_first_output
from reference.diff.self_contradiction import contradiction
from reference.diff.shared_passes import passes_of_one
from reference.diff.unequal import HARD, Pair, RateDifference, Unequal
from reference.diff.unmatched_models import first_other, takes_part, trained_by_one, untied
from reference.diff.without_effect import Ineffective
from reference.errors import InputError
from reference.ledger.link_table import DECISIVE, LINKS, NEED_SAME_MODEL
from reference.ledger.reader import Item
from reference.ledger.record import SEALED, Record, is_newer
from reference.ledger.schema import check, known
from reference.ledger.steps import Group


class Comparison:
    """Two runs, step by step as they come.

    Holds one step of each, and short hashes of what earlier ones had, up to the limits of
    `earlier_steps.py`, however long the runs are.

    Attributes:
        steps: How many steps were equal so far.
        before: How many steps the whole run has before them, where the other goes on from it.
        divergence: Where the runs part; nothing is compared from there on.
        gaps: What of them can't be compared, or is of one run alone.
        other_models: Why their tensors can't be compared, if so.
        matching: Which parameter of the one run is which of the other's.
        numbering: Both runs' records, brought to the first one's places and numbers.
        newer: By side, whether its schema is newer.
        unsealed: The sides whose schema has no seal.
        surroundings: Differences of the headers that may be why bits differ.
        named: Other differences of the headers that are named beside a verdict.
        other_models_cause: What is known of two runs whose models have other parameters.
        beside_other_models: Where the outputs of such runs part all the same.
        told_otherwise: What the runs were told, named beside a divergence.
        earlier: What earlier steps of both had, by which a later one is known again.
        edited: The first record that contradicts itself.
        same_generators: Those whose states were equal in the last step that draws from any.
        in_other_order: Whether the passes of some step were made in another order.
        evaluations: Whether they have evaluations and scores, and both the same ones.
    """

    def __init__(
        self, left: Record, right: Record, *, before: int = 0, each_evaluation: bool = False
    ) -> None:
        """Begins with the headers of both ledgers.

        Args:
            left: The first run's header.
            right: The second run's.
            before: After how many steps of the one run the other begins.
            each_evaluation: An evaluation that is made once more, without a step between, is a
                divergence: whoever asks what was done must know it.
        """
        self.steps = 0
        self.divergence: Divergence | None = None
        self.gaps = Gaps()
        self.other_models: OtherModels | None = None
        self.matching = Matching()
        self.numbering = OneNumbering(self.matching)
        self.before = before
        self.newer = [is_newer(header) for header in (left, right)]
        self.unsealed = [i for i, h in enumerate((left, right)) if h.get("schema", SEALED) < SEALED]
        self.surroundings = header_differences(left, right, SURROUNDINGS)
        self.named = header_differences(left, right, NAMED)
        self.told_otherwise = header_differences(what_was_told(left), what_was_told(right), TOLD)
        self.other_models_cause: list[LikelyCause] = []
        self.beside_other_models: list[PartBeside] = []
        self.edited: Contradiction | None = None
        self.in_other_order = False
        self.same_generators: frozenset[str] = frozenset()
        self.evaluations = EvaluationComparison(self.gaps, each=each_evaluation)
        self.earlier = Earlier(), Earlier()
        self._ineffective = Ineffective()
        self._rates = Rates()
        self._same_rates = True  # after the last step

    @property
    def missing(self) -> dict[str, set[int]]:
        """Each link that a side lacks somewhere, and these sides (0, 1)."""
        return self.gaps.missing

    @property
    def last(self) -> int:
        """The number of the last step that was equal."""
        return self.before + self.steps

    def add(self, left: Group, right: Group) -> Divergence | None:
        """Compares what both wrote since their last step, and their next step.

        Returns:
            Where the runs part, as soon as they have.

        Raises:
            InputError: A record isn't as its schema has it; the message names file and row.
        """
        try:
            return self._add(left, right)
        except InputError:
            raise
        except MALFORMED as error:
            where = " and ".join(group.where for group in (left, right) if group.where)
            raise InputError(
                f"{where or 'after the last step'}: a record isn't as its schema has it "
                f"({type(error).__name__}: {error!s:.99}); edited or damaged, record the runs "
                "again"
            ) from None

    def ineffective_notes(self, *, whole: bool) -> list[WithoutEffect]:
        """What was unequal in equal steps; of whole runs the rates that no step used, too."""
        notes = self._ineffective.notes(whole=whole)
        if whole and not self._same_rates:
            rates = Unequal("schedule", "next_learning_rate", None, None)
            notes.append(WithoutEffect(rates, False, steps=1, first=self.last, whole=whole))
        return notes

    def _add(self, left: Group, right: Group) -> Divergence | None:
        if self.divergence is None:
            self.matching.add(left.models, right.models)
            if self.matching.pairs or not self.matching.left_over:
                self.divergence = self.evaluations.add(left, right)
        for side, group in enumerate((left, right)):
            if group.broken and self.edited is None:
                self.edited = Contradiction(side, self.last, "end", Sum.LINES)
        if left.step is not None and right.step == left.step and self.newer[0] == self.newer[1]:
            self._record(0, left.step)
            right.step.same_as(left.step)
        ours, theirs = (self._record(side, g.step) for side, g in enumerate((left, right)))
        if self.divergence is None and ours is not None and theirs is not None:
            self.divergence = self._step(ours, theirs)
            if self.divergence is None:
                self.steps += 1
        return self.divergence

    def _record(self, side: int, item: Item | None) -> Record | None:
        """A step as it should be; of a newer schema, what of it is as this one has it."""
        if item is None:
            return None
        if not self.newer[side]:
            return check(item)
        record, unknown_fields = known(item)
        self.gaps.add_unknown(side, unknown_fields)
        return record

    def _step(self, ours: Record, theirs: Record) -> Divergence | None:
        links = [link for link in LINKS if self.gaps.both_have(link, (ours, theirs))]
        self.gaps.note_uncalled((ours, theirs))
        if self.steps == 0 and ours is not theirs:
            numbers = exchanged(self.matching.models, ours, theirs)
            if numbers:
                self.matching.exchange(numbers)
        self._look_for_other_models((ours, theirs))
        same_bytes = ours is theirs
        if self.other_models is not None:
            self._look_beside_other_models(ours, theirs)
            links = [link for link in links if link not in NEED_SAME_MODEL]
        elif same_bytes and self.matching.in_place:
            self._remember((ours, ours), ours, ours)
            return None
        left, right = (
            self.numbering.step(side, record, rearrange=self.other_models is None)
            for side, record in enumerate((ours, theirs))
        )
        if self.matching.in_place and not same_bytes:
            self._look_for_contradiction(left, right)
        right, in_other_order = in_same_order(left, right, known=self.in_other_order)
        self.in_other_order = self.in_other_order or bool(in_other_order)
        divergence = self._first_unequal_link(left, right, links, in_other_order)
        if divergence is None:
            self._remember((left, right), ours, theirs)
        return divergence

    def _look_for_other_models(self, pair: tuple[Record, Record]) -> None:
        """A model that fits nowhere does no harm until it takes part in a step."""
        if self.other_models is not None:
            return
        trained = trained_by_one(self.matching, pair)
        if trained is not None:
            self.other_models = TrainedInOne(trained)
        elif self.matching.left_over and (
            not self.matching.pairs or takes_part(self.matching, pair)
        ):
            self.other_models = first_other(self.matching)

    def _look_beside_other_models(self, *pair: Record) -> None:
        """Where the outputs part all the same, and whether a tie came undone."""
        if not self.other_models_cause and self.other_models is not None:
            ties = untied(self.matching, pair)
            self.other_models_cause = other_models_causes(self.other_models, ties)
        if not self.beside_other_models:
            unequal = [u for u in forward(Pair(pair[0], pair[1])) if u.weight == HARD]
            if unequal:
                self.beside_other_models.append(PartBeside(self.last + 1, unequal[0]))

    def _look_for_contradiction(self, *pair: Record) -> None:
        for side, record in enumerate(pair):
            if self.edited is None and not self.newer[side]:
                self.edited = contradiction(record, side)

    def _first_unequal_link(
        self, left: Record, right: Record, links: list[str], before: list[Unequal]
    ) -> Divergence | None:
        """Where this step, or the rates that the step before left for it, are unequal.

        `before`: what is known to be unequal of it, which may do nothing.
        """
        step = self.last + 1
        rate = self._rate_difference(left, right, links)
        if rate is not None and rate.step < step:
            return Divergence(rate.step, rate.unequal.link, [rate.unequal], left, right)
        pair = Pair(left, right, self.matching.names, rate, self.matching.whole)
        # A soft one is settled by what follows from it: where that isn't compared, it counts.
        settled = set(links) >= DECISIVE
        effects: list[Unequal] = []
        for link in in_order_of_cause(links):
            unequal = list(COMPARATORS[link](pair))
            if link == "batch" and "forward" in links:
                unequal, effects = split_at_first_output(pair, unequal)
            if any(u.weight == HARD or not settled for u in unequal):
                causes = causes_before_later_calls(pair, link, unequal)
                named = named_link(link, unequal, before, causes)
                fields = [*before, *causes, *unequal, *effects]
                return Divergence(step, named, fields, left, right)
            before = [*before, *unequal]
        self._ineffective.add(before, step)
        if "forward" in links:
            self.gaps.add_passes(passes_of_one(pair), step)
        return None

    def _rate_difference(
        self, left: Record, right: Record, links: list[str]
    ) -> RateDifference | None:
        # A step without a forward pass beside one with it: the rates are those of other moments.
        if "schedule" not in links or _has_pass(left) != _has_pass(right):
            return None
        return self._rates.difference(left, right, self.last + 1, self.matching.names)

    def _remember(self, pair: tuple[Record, Record], ours: Record, theirs: Record) -> None:
        """Keeps what the next step may refer to.

        Args:
            pair: Both records of an equal step, in one numbering.
            ours: The first run's, as it stands in the ledger.
            theirs: The second run's.
        """
        self._same_rates = next_rates(pair[0]) == next_rates(pair[1])
        self._rates.remember(pair[0], self.last + 1, same=self._same_rates)
        states, others = (record.get("rng") or {} for record in pair)
        if states or others:
            same = (name for name in states if states[name] == others.get(name))
            self.same_generators = frozenset(same)
        self.numbering.remember(ours, theirs)
        for earlier, record in zip(self.earlier, (ours, theirs), strict=True):
            earlier.remember(record, self.last + 1)


def _has_pass(record: Record) -> bool:
    """Whether a step has a forward or a backward pass of its own, or it isn't known."""
    return bool(record.get("batch", True)) or bool(
        (record.get("gradient") or {}).get("backward_passes", True)
    )
