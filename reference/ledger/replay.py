"""Runs the manual loop with some deviations against a ledger, as far as the two are equal.

Used by `python -m reference explain LEDGER`. The run is compared while it goes on, and stopped at
the first unequal step: a wrong guess costs the steps up to there, and the right one is its proof.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reference.data.pipeline import Data
from reference.ledger.comparison import Comparison, Divergence
from reference.ledger.deviations import Chosen, train_with
from reference.ledger.diff import Verdict, judge
from reference.ledger.observe import NotFinite, Observer
from reference.ledger.record import Item, Ledger, Record, encode
from reference.ledger.streams import Group, Grouper, groups
from reference.recipe import Recipe


class Parted(Exception):
    """Raised within a replay, at the first step that isn't the other run's."""


@dataclass
class Follower:
    """Takes the observer's records in a writer's place, and compares each with the target's."""

    header: Record
    target: Ledger
    on_step: Callable[[int], None] = lambda _step: None
    counts: list[int] = field(default_factory=lambda: [0, 0])
    ends: list[Record | None] = field(default_factory=lambda: [None, None])

    def __post_init__(self) -> None:
        self.comparison = Comparison(self.header, self.target.header)
        self._grouper = Grouper()
        self._theirs = groups(self.target.items)
        self._over = False

    def write(self, record: Record) -> None:
        """One record of ours. Raises Parted as soon as the runs differ."""
        if self._over:
            return
        group = self._grouper.push(Item(encode(record), "replay"))
        if group is not None:
            self.on_step(self.counts[0] + 1)
            self._compare(group)

    def _compare(self, ours: Group) -> None:
        theirs = next(self._theirs, Group())
        self._count(ours, theirs)
        self.comparison.add(ours, theirs)
        # Beyond their last step there is nothing to be proven by.
        if self.comparison.divergence is not None or theirs.step is None:
            self._over = True
            raise Parted

    def _count(self, ours: Group, theirs: Group) -> None:
        for side, group in enumerate((ours, theirs)):
            self.counts[side] += group.step is not None
            self.ends[side] = group.end or self.ends[side]

    def close(self) -> None:
        """Our run is over, or was stopped: compare what is left."""
        if self._over:
            return
        self._over = True
        ours = self._grouper.take()
        theirs = next(self._theirs, Group())
        self._count(ours, theirs)
        self.comparison.add(ours, theirs)
        for group in self._theirs:
            self._count(Group(), group)


@dataclass(frozen=True)
class Outcome:
    """One replay: with which deviations, how far it was equal, and what its verdict is."""

    chosen: tuple[Chosen, ...]
    verdict: Verdict
    steps: int  # that were run
    known_steps: int  # that the ledger has
    divergence: Divergence | None
    failure: str = ""

    @property
    def proven(self) -> bool:
        """Every step that the ledger has, and every link that it has, came out equal."""
        return self.verdict.verdict == "identical" or self.whole

    @property
    def whole(self) -> bool:
        """Equal as far as the ledger goes, where it lacks its end or some link."""
        v = self.verdict
        return v.verdict == "incomparable" and v.step is None and 0 < v.steps == self.known_steps


def replay(
    target: Ledger,
    header: Record,
    recipe: Recipe,
    data: Data,
    chosen: Sequence[Chosen],
    on_step: Callable[[int], None] = lambda _step: None,
) -> Outcome:
    """Train the manual loop with `chosen` switched on until it parts from `target`.

    Whatever a deviation makes the loop raise is an outcome, not an error: such a run isn't the
    target's.
    """
    follower = Follower(header, target, on_step)
    failure = ""
    with contextlib.redirect_stderr(io.StringIO()):  # the loop's own progress bar
        try:
            with Observer(follower, stop_if_not_finite=True) as observer:
                scores = train_with(chosen)(recipe, data)
                observer.add_scores(scores)
        except Parted:
            pass
        except NotFinite as error:
            failure = str(error)
        except Exception as error:  # two deviations together may break the loop in any way
            failure = f"{type(error).__name__}: {error}"
    c = follower.comparison
    verdict = judge(c, follower.counts, follower.ends)
    known = sum(item.kind == "step" for item in target.items)
    return Outcome(tuple(chosen), verdict, follower.counts[0], known, c.divergence, failure)
