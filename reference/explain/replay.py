"""Runs the manual loop with some deviations against a ledger, as far as the two are equal.

Used by `python -m reference explain LEDGER`. The run is compared while it goes on, and stopped at
the first unequal step: a wrong guess costs the steps up to there, and the right one is its proof.
"""

import contextlib
import copy
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from reference.deviations import Chosen, expected_warnings, source, train_with
from reference.diff.comparison import Comparison
from reference.diff.divergence import Divergence
from reference.diff.judgement import judge
from reference.diff.verdict import Verdict
from reference.errors import InputError, NotFinite
from reference.explain.loop_halves import Halves, halves
from reference.ledger.link_table import DECISIVE
from reference.ledger.record import Item, Ledger, Record, encode, is_newer
from reference.ledger.steps import Group, Grouper, groups
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.observe.generators import generators, set_generators
from reference.observe.observer import Observer


class Parted(Exception):
    """Raised within a replay, at the first step that isn't the other run's."""


@dataclass
class Follower:
    """Takes the observer's records in a writer's place, and compares each with the target's."""

    comparison: Comparison
    theirs: list[Group]
    on_step: Callable[[int], None]
    counts: list[int] = field(default_factory=lambda: [0, 0])
    ends: list[Record | None] = field(default_factory=lambda: [None, None])
    _grouper: Grouper = field(default_factory=Grouper)
    fault: InputError | None = None  # the ledger's own
    _place: int = 0
    _over: bool = False

    def write(self, record: Record) -> None:
        """One record of ours. Raises Parted as soon as the runs differ."""
        if self._over:
            return
        group = self._grouper.push(Item(encode(record), "replay"))
        if group is not None:
            theirs = self._compare(group)
            self.on_step(self.counts[0])
            # Beyond their last step there is nothing to be proven by.
            if self.comparison.divergence is not None or theirs.step is None:
                self._over = True
                raise Parted

    def _compare(self, ours: Group) -> Group:
        theirs = self.theirs[self._place] if self._place < len(self.theirs) else Group()
        self._place += 1
        self._count(ours, theirs)
        try:
            self.comparison.add(ours, theirs)
        except InputError as error:
            self.fault, self._over = error, True
            raise Parted from None
        return theirs

    def _count(self, *pair: Group) -> None:
        for side, group in enumerate(pair):
            self.counts[side] += group.step is not None
            self.ends[side] = group.end or self.ends[side]

    def close(self) -> None:
        """Our run is over, or was stopped: compare what is left."""
        if not self._over:
            self._over = True
            self._compare(self._grouper.take())
            for group in self.theirs[self._place :]:
                self._count(Group(), group)

    def fork(self) -> "Follower":
        """Another one, as far along as this one is now."""
        other = copy.copy(self)
        other.comparison = copy.deepcopy(self.comparison)
        other._grouper = copy.deepcopy(self._grouper)
        other.counts, other.ends = list(self.counts), list(self.ends)
        return other


@dataclass(frozen=True)
class Outcome:
    """One replay: with which deviations, how far it was equal, and what its verdict is."""

    chosen: tuple[Chosen, ...]
    verdict: Verdict
    steps: int  # that were run for it
    known_steps: int  # that the ledger has
    divergence: Divergence | None
    failure: str = ""
    decisive: bool = True  # the ledger is of this model, unedited, and has the links that prove

    @property
    def proven(self) -> bool:
        """Every step that the ledger has, and every link that it has, came out equal."""
        return self.verdict.verdict == "identical" or self.whole

    @property
    def equal(self) -> bool:
        """No step parts from the ledger's, whatever that proves."""
        steps = 0 < self.verdict.steps == self.known_steps
        return steps and self.divergence is None and self.verdict.step is None and not self.failure

    @property
    def whole(self) -> bool:
        """Equal as far as the ledger goes, where it lacks its end or some link."""
        v = self.verdict
        equal = v.verdict == "incomparable" and v.step is None and 0 < v.steps == self.known_steps
        return equal and self.decisive


@dataclass
class Trained:
    """What a training left behind, all of its steps being equal to the target's."""

    text: str
    variables: dict[str, Any]
    states: tuple[Any, ...]
    observer: Observer
    follower: Follower
    modes: list[tuple[torch.nn.Module, bool]]  # an evaluation leaves its own mode behind


@dataclass
class Replays:
    """Replays of one recipe against one ledger."""

    target: Ledger
    header: Record
    recipe: Recipe
    data: Data
    on_step: Callable[[int], None] = lambda _step: None
    _trained: Trained | None = None

    def __post_init__(self) -> None:
        self._groups = list(groups(self.target.items, newer=is_newer(self.target.header)))
        self.known_steps = sum(group.step is not None for group in self._groups)

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """Train the manual loop with `chosen` switched on until it parts from the target.

        Whatever a deviation makes the loop raise is an outcome, not an error: such a run isn't
        the target's. Raises Conflict for deviations that can't be together, and InputError where
        the ledger isn't as its schema has it.
        """
        whole, parts = train_with(chosen), halves(source(chosen))
        again = parts is not None and self._trained is not None
        again = again and parts.training == self._trained.text  # type: ignore[union-attr]
        if again:
            follower = self._trained.follower.fork()  # type: ignore[union-attr]
        else:
            follower = Follower(Comparison(self.header, self.target.header), self._groups, self._on)
        before, failure = follower.counts[0], ""
        # Without the loop's own progress bar, and torch's word on schedules.
        with contextlib.redirect_stderr(io.StringIO()), expected_warnings():
            try:
                if parts is None:
                    with Observer(follower, stop_if_not_finite=True) as observer:
                        observer.add_scores(whole(self.recipe, self.data))
                elif again:
                    self._evaluate_again(parts, follower)
                else:
                    self._train_and_evaluate(parts, follower)
            except Parted:
                pass
            except NotFinite as error:
                failure = str(error)
            except Exception as error:  # two deviations together may break the loop in any way
                failure = f"{type(error).__name__}: {error}"
        if follower.fault is not None:
            raise follower.fault
        c = follower.comparison
        verdict = judge(c, follower.counts, follower.ends)
        steps = follower.counts[0] - before
        theirs = follower.ends[1]
        # A replay that broke proves nothing of a run that came to its end.
        broke = bool(failure) and theirs is not None and bool(theirs["complete"])
        edited = c.edited and c.divergence is None
        decisive = not (broke or c.other_models or edited or DECISIVE & c.missing.keys())
        return Outcome(
            tuple(chosen), verdict, steps, self.known_steps, c.divergence, failure, decisive
        )

    def _on(self, step: int) -> None:
        self.on_step(step)

    def _train_and_evaluate(self, parts: Halves, follower: Follower) -> None:
        with Observer(follower, stop_if_not_finite=True) as observer:
            variables = parts.train(self.recipe, self.data)
            observer.settle()
            if follower.counts[0] == self.known_steps:
                left = observer.go_on(), follower.fork()
                modes = [
                    (module, module.training)
                    for value in variables.values()
                    if isinstance(value, torch.nn.Module)
                    for module in value.modules()
                ]
                self._trained = Trained(parts.training, variables, generators(), *left, modes)
            observer.add_scores(parts.evaluate(variables))

    def _evaluate_again(self, parts: Halves, follower: Follower) -> None:
        """The same training isn't run twice: evaluate from where it ended."""
        trained = self._trained
        assert trained is not None
        set_generators(trained.states)
        for module, training in trained.modes:
            module.training = training
        with trained.observer.go_on(follower) as observer:
            observer.add_scores(parts.evaluate(trained.variables))
