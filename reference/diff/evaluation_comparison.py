"""The evaluations of two runs compared, as they come: those that both made after the same step."""

from reference.diff.divergence import Divergence
from reference.diff.evaluation_differences import is_shifted
from reference.diff.evaluation_pairs import of_equal_counts, of_evaluation, pair_by_model
from reference.diff.evaluation_sets import Sets, sets_of
from reference.diff.gaps import Gaps
from reference.diff.link_comparators import metrics
from reference.diff.unequal import HARD, Pair
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record
from reference.ledger.steps import Group


class EvaluationComparison:
    """Evaluating more often is no other training: what one run evaluates alone is a gap.

    It is in the verdict, as what couldn't be compared, and the sentence says "as far as both have
    it". Everybody who judges two runs does so: `diff`, `assert_same_run` and `compare`. Only who
    proves that one run gives the other's ledger to the bit (`explain`, and the matrix of
    deviations) takes it for a difference, since it is one of ledgers.

    Attributes:
        in_either: Whether either run has an evaluation.
        in_both: Whether both runs have the same one.
        scored: Whether both runs have scores of the same one.
    """

    def __init__(self, gaps: Gaps, *, each: bool) -> None:
        """Begins before the first one.

        Args:
            gaps: Is told what of them can't be compared.
            each: One that is made once more, without a step between, is a divergence.
        """
        self.in_either = self.in_both = self.scored = False
        self._gaps, self._each = gaps, each

    def add(self, left: Group, right: Group) -> Divergence | None:
        """Those that the runs made since their last step; gives where these part."""
        sides, at_end = (left.evaluations, right.evaluations), not (left.step or right.step)
        for step in sorted({e["step"] for side in sides for e in side}):
            ours, theirs = ([e for e in side if e["step"] == step] for side in sides)
            self.in_either = True
            pairs = pair_by_model(ours, theirs)
            for pair in pairs:
                divergence = self._pair(pair, at_end=at_end)
                if divergence is not None:
                    return divergence
            for side, count in enumerate((len(ours), len(theirs))):
                if count > len(pairs):
                    self._gaps.add_evaluations(side, count - len(pairs), step)
        return None

    def _pair(self, pair: tuple[Record, Record], *, at_end: bool) -> Divergence | None:
        self.in_both = True
        self.scored = self.scored or all(each[METRICS]["scores"] for each in pair)
        if self._gaps.has_unseen(pair):
            return None
        self._gaps.note_older(pair)
        same_rows, more = (pair, []) if self._each else of_equal_counts(pair)
        unequal = list(metrics(Pair(*same_rows)))
        if any(u.weight == HARD for u in unequal):
            sets = None if self._each else sets_of(same_rows)
            scores = [u for u in unequal if u.field in _scores(pair)]
            if sets is None or scores:
                return of_evaluation(unequal if sets is None else scores, same_rows, at_end=at_end)
            self._note_sets(sets, pair[0]["step"])
            return None
        if is_shifted(*(each[METRICS] for each in same_rows)):
            self._gaps.note_shifted(same_rows)
            return None
        self._gaps.note_evaluation(same_rows)
        for side in more:
            cut, whole = same_rows[side][METRICS], pair[side][METRICS]
            if cut.get("again"):
                self._gaps.add_evaluations(side, 1, pair[0]["step"])
            else:  # nobody can tell whether they are of another set
                self._gaps.add_rows(side, whole["count"] - cut["count"])
        return None

    def _note_sets(self, sets: Sets, step: int) -> None:
        for each in sets.pairs:
            self._gaps.note_evaluation(each)
        if not sets.in_order:
            self._gaps.note_other_order(step)
        if sets.side is not None and sets.repeats:
            self._gaps.add_evaluations(sets.side, sets.repeats, step)
        if sets.side is not None and sets.rows:
            self._gaps.add_rows(sets.side, sets.rows)


def _scores(pair: tuple[Record, Record]) -> set[str]:
    """The names of those that both runs have."""
    left, right = (each[METRICS]["scores"] for each in pair)
    return {*left} & {*right}
