"""One training of the manual loop with some deviations, against a ledger, as far as they are equal.

The training is compared while it goes on, and stopped at the first unequal step: a wrong guess
costs the steps up to there, and the right one is its own proof.
"""

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from reference.deviations import (
    CATALOGUE,
    Chosen,
    Deviation,
    edited_source,
    expected_warnings,
)
from reference.deviations.deviation import MANUAL
from reference.errors import NotFinite
from reference.explain.follower import Follower, Parted
from reference.explain.loop_halves import Halves, halves
from reference.explain.outcome import Outcome, outcome_of
from reference.ledger.reader import Ledger
from reference.ledger.record import Record, is_newer
from reference.ledger.steps import groups
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.observe.generators import generators, set_generators
from reference.observe.observer import Observer
from reference.observe.script.evaluate_scores import scores_taken


@dataclass
class Trained:
    """What a training left behind, all of its steps being equal to the ledger's.

    Attributes:
        training: the text of the loop's first half.
        arguments: what the loop evaluates with.
        states: the generators' states.
        observer: the observer of the training, to go on with the evaluation.
        follower: how far the comparison had come.
        modes: each module with its mode; an evaluation leaves its own mode behind.
    """

    training: str
    arguments: tuple[Any, ...]
    states: tuple[Any, ...]
    observer: Observer
    follower: Follower
    modes: list[tuple[torch.nn.Module, bool]]


@dataclass
class Replays:
    """Replays of one recipe against one ledger.

    Attributes:
        target: the ledger.
        header: the header of the recipe's own run.
        recipe: the recipe, as the manual loop gets it.
        data: the recipe's data.
        on_step: called with the number of steps of a replay, after each.
    """

    target: Ledger
    header: Record
    recipe: Recipe
    data: Data
    on_step: Callable[[int], None] = lambda _step: None
    loop: str = MANUAL
    start_cost: int = 0
    _trained: Trained | None = None

    def __post_init__(self) -> None:
        self._groups = list(groups(self.target.items, newer=is_newer(self.target.header)))
        self.known_steps = sum(group.step is not None for group in self._groups)

    @property
    def known(self) -> Mapping[str, Deviation]:
        """The deviations that may be tried."""
        return CATALOGUE

    def target_of(self, _rank: int | None) -> Ledger:
        """The ledger, which is the only one."""
        return self.target

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """Train the manual loop with these deviations until it parts from the ledger.

        Whatever a deviation makes the loop raise is an outcome, not an error: such a run isn't
        the ledger's.

        Raises:
            Conflict: for deviations that can't be together.
            InputError: where the ledger isn't as its schema has it.
        """
        parts, trained = halves(edited_source(chosen)), self._trained
        if trained is not None and parts.training == trained.training:
            follower = trained.follower.fork()
            replay = partial(self._evaluate_again, trained, parts, follower)
        else:
            theirs = self.target.header
            follower = Follower.of(self.header, theirs, self._groups, self.on_step)
            replay = partial(self._train, parts, follower)
        steps_before = follower.counts[0]
        failure = failure_of(replay)
        if follower.fault is not None:
            raise follower.fault
        return outcome_of(follower, chosen, self.known_steps, failure, steps_before=steps_before)

    def _train(self, loop: Halves, follower: Follower) -> None:
        """Train and evaluate; what the training leaves behind is kept where it was all equal."""
        observer = Observer(follower, stop_if_not_finite=True)

        def evaluate(*arguments: Any) -> Any:
            observer.settle()
            # An evaluation in between is a part of the training: another one may change it.
            if self.recipe.eval_strategy == "no" and follower.counts[0] == self.known_steps:
                self._trained = Trained(
                    loop.training,
                    arguments,
                    generators(),
                    observer.go_on(),
                    follower.fork(),
                    _modes(arguments),
                )
            return loop.evaluate(*arguments)

        with observer, scores_taken(observer.add_scores):
            loop.train(self.recipe, self.data, evaluate)

    def _evaluate_again(self, trained: Trained, parts: Halves, follower: Follower) -> None:
        """The same training isn't run twice: evaluate from where it ended."""
        set_generators(trained.states)
        for module, training in trained.modes:
            module.training = training
        with trained.observer.go_on(follower) as observer, scores_taken(observer.add_scores):
            parts.evaluate(*trained.arguments)


def failure_of(replay: Callable[[], None]) -> str:
    """Run a replay until it parts from the ledger; what else it raises, in words."""
    # Without the loop's own progress bar, and torch's warning about schedules.
    with contextlib.redirect_stderr(io.StringIO()), expected_warnings():
        try:
            replay()
        except Parted:
            pass
        except NotFinite as error:
            return str(error)
        except Exception as error:  # two deviations together may break the loop in any way
            return f"{type(error).__name__}: {error}"
    return ""


def _modes(arguments: Sequence[Any]) -> list[tuple[torch.nn.Module, bool]]:
    models = [value for value in arguments if isinstance(value, torch.nn.Module)]
    return [(module, module.training) for model in models for module in model.modules()]
