"""Two ledgers read side by side, a step at a time, to one verdict."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reference.diff.comparison import Comparison
from reference.diff.divergence_curve import Curve
from reference.diff.judgement import judge
from reference.diff.later_batches import LaterBatches
from reference.diff.notes import BeginsLater
from reference.diff.optimizers_in_order import in_one_order
from reference.diff.ranks import diff_ranks, with_unread_ranks
from reference.diff.resumed_run import given, groups_as_from, groups_from, where_it_begins
from reference.diff.successors import Successors
from reference.diff.verdict import Verdict
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.reader import Ledger
from reference.ledger.record import Record
from reference.ledger.steps import Group, open_ledger


def diff(
    a: Ledger | Path | str,
    b: Ledger | Path | str,
    *,
    offset: int | None = None,
    each_evaluation: bool = False,
) -> Verdict:
    """The verdict on two runs. Both are read once, and one step of each is held at a time.

    Args:
        a: A ledger, its file, or its run's folder, of which every rank's ledger is read; it is
            named first in the verdict's words.
        b: The one that it is compared with.
        offset: After how many steps of `a` the run `b` begins; below 0, after how many of `b` the
            run `a` does. By default their first weights say whether one is the other resumed.
        each_evaluation: An evaluation made once more, without a step between, is a divergence; by
            default it is named beside the verdict.

    Returns:
        `identical`, `diverged` with the first step and link at which they part, or `incomparable`
        with the reason. What follows from the divergence isn't listed: a curve shows how the two
        go on.

    Raises:
        InputError: A file isn't a ledger, or a record isn't as its schema has it; the message names
            file, row and field.
    """
    if any(isinstance(each, Path | str) and Path(each).is_dir() for each in (a, b)):
        return diff_ranks(
            _ranks(a),
            _ranks(b),
            lambda _rank, x, y: _diff(x, y, offset=offset, each_evaluation=each_evaluation),
        )
    one, other = *_ranks(a).values(), *_ranks(b).values()
    return _diff(one, other, offset=offset, alone=True, each_evaluation=each_evaluation)


def _ranks(source: Ledger | Path | str) -> Mapping[int, Ledger | Path]:
    return {0: source} if isinstance(source, Ledger) else find_ledgers(source)


def _diff(
    a: Ledger | Path,
    b: Ledger | Path,
    *,
    offset: int | None,
    alone: bool = False,
    each_evaluation: bool = False,
) -> Verdict:
    """The verdict on two ledgers; `alone`: there may be other ranks, of which nobody gave one."""
    (left_header, left), (right_header, right) = map(open_ledger, (a, b))
    begins = where_it_begins(a, b) if offset is None else given(offset)
    if begins is not None:
        left, right = (_from(each, side, begins) for side, each in enumerate((a, b)))
    before = begins.step if begins else 0
    comparison = Comparison(
        left_header, right_header, before=before, each_evaluation=each_evaluation
    )
    curve, later = Curve(), LaterBatches()
    ends: list[Record | None] = [None, None]
    counts = [0, 0]
    successors = Successors()
    for of_left, of_right in in_one_order(left, right):
        x, y = successors.renumbered(of_left, of_right)
        comparison.add(x, y)
        if comparison.divergence is not None and x.step is not None and y.step is not None:
            curve.add(x.step, y.step, in_place=comparison.matching.in_place)
            later.add(x.step, y.step)
        for side, group in enumerate((x, y)):
            counts[side] += group.step is not None
            ends[side] = group.end or ends[side]
    verdict = judge(comparison, counts, ends, curve, begins, later)
    return with_unread_ranks(verdict, left_header, right_header) if alone else verdict


def _from(source: Ledger | Path, side: int, begins: BeginsLater) -> Iterator[Group]:
    part = groups_as_from if side == begins.side else groups_from
    return part(source, begins.step)
