"""Which known deviations make the recipe's run into another one: found by replay, and so proven.

    python -m reference explain LEDGER

The manual loop is run by the recipe until it parts from the ledger. Each deviation that may show
in that link is switched on and the loop run again; one that gets further is kept, and so on until
the whole ledger comes out equal, bit for bit. What no deviation explains is said to be so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Protocol

from reference.deviations import Chosen, Clue, Conflict, Deviation, edited_source
from reference.deviations.edited_loop import lacks_a_name
from reference.explain.explanation import Explanation
from reference.explain.first_batch import FirstBatches
from reference.explain.outcome import Outcome
from reference.explain.path import Path, dropped, is_seed, until_contradicted, without_idle
from reference.explain.replay import Replays
from reference.ledger.reader import Ledger
from reference.ledger.record import Record
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe

MOST_TOGETHER = 5  # deviations in one explanation
MOST_STEPS = 60_000  # steps replayed in search, the proof's own left out
MOST_PAIR_STEPS = 3_000  # of them, for two that only show together
MOST_FIRST_BATCHES = 3_000  # first batches that are looked at, of two deviations together
GENERAL = 2  # the generality of deviations that fit much, as any slope of a schedule
FEW_VALUES = 3  # so many were read off the ledger; more are guesses


class Replayable(Protocol):
    """Makes replays of one recipe: in one process (`Replays`), or in several (`RankReplays`).

    Attributes:
        recipe: the recipe, as the loop gets it.
        data: the recipe's data.
        loop: the loop that is replayed.
        start_cost: steps that take as long as the start of a replay.
    """

    recipe: Recipe
    data: Data
    loop: str
    start_cost: int

    @property
    def known(self) -> Mapping[str, Deviation]:
        """The deviations that may be tried."""

    def target_of(self, rank: int | None) -> Ledger:
        """The ledger of a rank; None where there is just one."""

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """One replay."""


@dataclass
class Search:
    """The replays of one explanation.

    Attributes:
        replay: makes a replay.
        replays: how many there were so far.
        steps: how many steps they trained.
        foreign: how many first batches were tried in vain, beside these deviations.
        tried: how many deviations were, beside these.
    """

    replay: Replayable
    replays: int = 0
    steps: int = 0
    foreign: dict[frozenset[Chosen], int] = field(default_factory=dict)
    tried: dict[frozenset[Chosen], int] = field(default_factory=dict)
    _outcomes: dict[frozenset[Chosen], Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        their_steps = self.replay.target_of(None).steps
        self._first_batches = FirstBatches(
            self.replay.recipe, self.replay.data, their_steps[0] if their_steps else {}
        )

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """One replay; the same set of deviations is run once."""
        key = frozenset(chosen)
        if key not in self._outcomes:
            outcome = self._outcomes[key] = self.replay.run(chosen)
            self.replays += 1
            self.steps += outcome.steps
        return self._outcomes[key]

    def candidates(self, outcome: Outcome) -> list[Chosen]:
        """Deviations that may be the next cause, by the links that are unequal.

        Those that the ledger leaves few values for come first, and the guesses (seeds) last.
        """
        verdict, divergence = outcome.verdict, outcome.divergence
        taken = {c.deviation.name for c in outcome.chosen}
        recipe = self._recipe_with(outcome.chosen)
        target = self.replay.target_of(outcome.rank)
        by_deviation: list[list[Chosen]] = []
        for link in verdict.suspects:
            clue = Clue(
                link,
                verdict.step or 1,
                divergence.left if divergence else {},
                divergence.right if divergence else {},
                target.steps,
                recipe,
                _evaluated_after(target),
            )
            for deviation in self.replay.known.values():
                # Where one run merely ends, only what changes its length can be why.
                if deviation.name not in taken and (divergence or deviation.changes_length):
                    by_deviation.append(deviation.candidates(clue))
        ordered = sorted(by_deviation, key=_least_general_first)
        return list(dict.fromkeys(chosen for values in ordered for chosen in values))

    def applies(self, chosen: Chosen, beside: Sequence[Chosen]) -> bool:
        """Whether it may do anything: by the recipe, or by what others make of the recipe."""
        rows = len(self.replay.data.train)
        recipes = (self.replay.recipe, self._recipe_with(beside))
        return any(chosen.deviation.applies_to(recipe, rows) for recipe in recipes)

    def composes(self, chosen: Sequence[Chosen]) -> bool:
        """Whether these can be together in the loop that is replayed."""
        try:
            text = edited_source(chosen, self.replay.loop)
        except Conflict:
            return False
        return not lacks_a_name(text)

    def _recipe_with(self, chosen: Sequence[Chosen]) -> Recipe:
        """What these deviations make of the recipe."""
        recipe = self.replay.recipe
        for one in chosen:
            recipe = one.applied_to(recipe)
        return recipe

    def is_foreign(self, here: Outcome, singles: Sequence[Chosen]) -> bool:
        """Whether no known order or form of the data comes nearer to the ledger's first batch."""
        divergence = here.divergence
        if here.rank is not None:
            return False  # a process has a share of a batch, which isn't made beforehand
        if divergence is None or divergence.step != 1 or divergence.link != "batch":
            return False
        unequal, tried_before = self._first_batches.apart(here.chosen), self._first_batches.tried
        if not unequal:
            return False
        # There is no use in two seeds.
        pairs = ((a, b) for a, b in combinations(singles, 2) if not (is_seed(a) and is_seed(b)))
        for added in (*((single,) for single in singles), *islice(pairs, MOST_FIRST_BATCHES)):
            if self.composes((*here.chosen, *added)):
                apart = self._first_batches.apart((*here.chosen, *added))
                if apart is not None and apart < unequal:
                    return False
        self.foreign[frozenset(here.chosen)] = self._first_batches.tried - tried_before
        return True


def _evaluated_after(target: Ledger) -> tuple[int, ...]:
    """After how many steps a run evaluated what it trains."""
    evaluations = (e for e in target.evaluations if e.get("trained", True))
    return tuple(sorted({e["step"] for e in evaluations}))


def _least_general_first(values: list[Chosen]) -> tuple[int, int]:
    """By generality; then those of few values, and of many the fewer the sooner."""
    generality = values[0].deviation.generality if values else 0
    return generality, 0 if len(values) <= FEW_VALUES else len(values)


def explain(
    target: Ledger,
    header: Record,
    recipe: Recipe,
    data: Data,
    on_step: Callable[[int], None] = lambda _step: None,
) -> Explanation:
    """The deviations that turn the recipe's run into a ledger's.

    Args:
        target: the ledger to explain.
        header: the header of the recipe's own run.
        recipe: the recipe, as the manual loop gets it.
        data: the recipe's data.
        on_step: called with the number of steps of a replay, after each.

    Raises:
        InputError: where the ledger isn't as its schema has it.
    """
    return explain_by(Replays(target, header, recipe, data, on_step))


def explain_by(replays: Replayable) -> Explanation:
    """As `explain`, by whatever makes the replays."""
    search = Search(replays)
    first = search.run(())
    # Nothing turns one model into another, or proves what a ledger doesn't hold.
    if first.proven or first.verdict.step is None or not first.decisive:
        return Explanation(first, (), search.replays, search.steps)
    path, tried = _deepen(search, (first,))
    path = without_idle(path, search.run)
    kept = until_contradicted(path)
    contradicted = dropped(path, kept)
    if contradicted is not None:
        path = without_idle(kept, search.run)
        tried = search.tried.get(frozenset(path[-1].chosen), 0)
    return Explanation(
        outcome=path[-1],
        path=path[:-1],
        replays=search.replays,
        steps=search.steps,
        tried=tried,
        foreign=search.foreign.get(frozenset(path[-1].chosen), 0),
        dropped=contradicted,
    )


def _deepen(search: Search, path: Path) -> tuple[Path, int]:
    """(the path that gets furthest from here, the tries in vain at its end): depth first."""
    here = path[-1]
    if here.proven or len(path) > MOST_TOGETHER or search.steps > MOST_STEPS:
        return path, 0
    further, tried = [], 0
    for added in _additions(search, here):
        outcome = search.run((*here.chosen, *added))
        tried = search.tried[frozenset(here.chosen)] = tried + 1
        if outcome.proven:
            return (*path, outcome), tried
        if outcome.progress > here.progress:
            further.append(outcome)
    best, best_tried = path, tried
    for outcome in sorted(further, key=lambda outcome: outcome.progress, reverse=True):
        deeper, in_vain = _deepen(search, (*path, outcome))
        if deeper[-1].proven:
            return deeper, in_vain
        if deeper[-1].progress > best[-1].progress:
            best, best_tried = deeper, in_vain
    return best, best_tried


def _additions(search: Search, here: Outcome) -> Iterator[tuple[Chosen, ...]]:
    """Single deviations; then, if no particular one gets further, two that show only together."""
    singles = search.candidates(here)
    if search.is_foreign(here, singles):
        return
    got_further = False
    for chosen in singles:
        if search.applies(chosen, here.chosen) and search.composes((*here.chosen, chosen)):
            yield (chosen,)
            further = search.run((*here.chosen, chosen)).progress > here.progress
            got_further |= further and chosen.deviation.generality < GENERAL
    if got_further:
        return
    budget = MOST_PAIR_STEPS
    for a, b in combinations(singles, 2):
        applies = search.applies(a, (*here.chosen, b)) and search.applies(b, (*here.chosen, a))
        if budget > 0 and applies and search.composes((*here.chosen, a, b)):
            yield (a, b)
            budget -= search.run((*here.chosen, a, b)).steps + search.replay.start_cost
