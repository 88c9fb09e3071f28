"""Which known deviations make the recipe's run into another one: found by replay, and so proven.

    python -m reference explain LEDGER

The manual loop is run by the recipe until it parts from the ledger. Each deviation that may show
in that link is switched on and the loop run again; one that gets further is kept, and so on until
the whole ledger comes out equal, bit for bit. What no deviation explains is said to be so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, pairwise

from reference.deviations import CATALOGUE, Chosen, Clue, Conflict, source
from reference.deviations.clues.seeds import seeds, usual_seeds
from reference.diff.unequal import HARD
from reference.diff.verdict import Verdict
from reference.explain.first_batch import FirstBatches
from reference.explain.replay import Outcome, Replays
from reference.ledger.link_table import LINKS, METRICS
from reference.ledger.record import Ledger, Record
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe

MOST_TOGETHER = 5  # deviations in one explanation
MOST_STEPS = 60_000  # replayed in search, the proof's own left out
PAIR_STEPS = 3_000  # of them, for two that only show together
MOST_BATCHES = 3_000  # first batches that are looked at, of two deviations together
SURE = 10  # steps in which a deviation's link came out equal, before that is no chance any more
GENERAL = 2  # the rank of deviations that fit much, as any slope of a schedule
ORDER = {link: place for place, link in enumerate((*LINKS, METRICS))}


@dataclass(frozen=True)
class Explanation:
    """What was found. `outcome` is the last replay: the proof, or as far as it goes."""

    outcome: Outcome
    path: tuple[Outcome, ...]  # the replay before each deviation was found, the first with none
    replays: int
    steps: int  # replayed, in all
    tried: int = 0  # deviations switched on in vain at the divergence that is left
    foreign: int = 0  # orders and forms of the data, none of which gives the ledger's first batch
    # What got further by chance, and how far.
    dropped: tuple[tuple[Chosen, ...], Verdict] | None = None

    @property
    def proven(self) -> bool:
        return self.outcome.proven


@dataclass
class Search:
    """The replays of one explanation."""

    replay: Replays
    replays: int = 0
    steps: int = 0
    foreign: dict[frozenset[Chosen], int] = field(default_factory=dict)
    tried: dict[frozenset[Chosen], int] = field(default_factory=dict)  # beside these, from there on
    _seen: dict[frozenset[Chosen], Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.their_steps = self.replay.target.steps
        self._firsts = FirstBatches(
            self.replay.recipe, self.replay.data, self.their_steps[0] if self.their_steps else {}
        )

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        """One replay; the same set is run once."""
        key = frozenset(chosen)
        if key not in self._seen:
            outcome = self._seen[key] = self.replay.run(chosen)
            self.replays += 1
            self.steps += outcome.steps
        return self._seen[key]

    def candidates(self, outcome: Outcome) -> list[Chosen]:
        """Deviations that may be the next cause, by the links that are unequal.

        Those that the ledger leaves few values for come first, and the guesses (seeds) last.
        """
        verdict, found = outcome.verdict, outcome.divergence
        taken = {c.deviation.name for c in outcome.chosen}
        tries: list[list[Chosen]] = []
        for link in verdict.suspects:
            clue = Clue(
                link,
                verdict.step or 1,
                found.left if found else {},
                found.right if found else {},
                self.their_steps,
                self.replay.recipe,
            )
            for deviation in CATALOGUE.values():
                # Where one run merely ends, only what changes its length can be why.
                if deviation.name not in taken and (found or deviation.length):
                    tries.append(deviation.tries(clue))
        return list(dict.fromkeys(one for few in sorted(tries, key=_guesses) for one in few))

    def can_show(self, one: Chosen, beside: Sequence[Chosen]) -> bool:
        """Whether it may do anything: by the recipe, or by what others make of the recipe."""
        rows = len(self.replay.data.train)
        recipe = self.replay.recipe
        if one.deviation.can_show(recipe, rows):
            return True
        for other in beside:
            recipe = other.applied(recipe)
        return one.deviation.can_show(recipe, rows)

    def is_foreign(self, here: Outcome, singles: Sequence[Chosen]) -> bool:
        """Whether no known order or form of the data comes nearer to the ledger's first batch."""
        found = here.divergence
        if found is None or found.step != 1 or found.link != "batch":
            return False
        now, before = self._firsts.apart(here.chosen), self._firsts.tried
        if not now:
            return False
        pairs = ((a, b) for a, b in combinations(singles, 2) if not (_seed(a) and _seed(b)))
        for added in (*((one,) for one in singles), *islice(pairs, MOST_BATCHES)):
            if _composes((*here.chosen, *added)):
                apart = self._firsts.apart((*here.chosen, *added))
                if apart is not None and apart < now:
                    return False
        self.foreign[frozenset(here.chosen)] = self._firsts.tried - before
        return True


def _seed(one: Chosen) -> bool:
    """Another seed: there is no use in two."""
    return one.deviation.values in (seeds, usual_seeds)


def _guesses(tries: list[Chosen]) -> tuple[int, int]:
    """By rank; then three values or fewer, which were read off the ledger, before guesses."""
    return tries[0].deviation.rank if tries else 0, 0 if len(tries) < 4 else len(tries)


def explain(
    target: Ledger,
    header: Record,
    recipe: Recipe,
    data: Data,
    on_step: Callable[[int], None] = lambda _step: None,
) -> Explanation:
    """The deviations that turn `recipe` into `target`; `header` is that of the recipe's own run."""
    search = Search(Replays(target, header, recipe, data, on_step))
    first = search.run(())
    # Nothing turns one model into another, or proves what a ledger doesn't hold.
    if first.proven or first.verdict.step is None or not first.decisive:
        return Explanation(first, (), search.replays, search.steps)
    path, tried = _deepen(search, (first,))
    path = _without_idle(search, path)
    kept = _until_contradicted(path)
    dropped = _dropped(path, kept)
    if dropped is not None:
        path = _without_idle(search, kept)
        tried = search.tried.get(frozenset(path[-1].chosen), 0)
    foreign = search.foreign.get(frozenset(path[-1].chosen), 0)
    counted = search.replays, search.steps, tried, foreign
    return Explanation(path[-1], path[:-1], *counted, dropped)


def _deepen(search: Search, path: tuple[Outcome, ...]) -> tuple[tuple[Outcome, ...], int]:
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
        if progress(outcome) > progress(here):
            further.append(outcome)
    best, best_tried = path, tried
    for outcome in sorted(further, key=progress, reverse=True):
        deeper, vain = _deepen(search, (*path, outcome))
        if deeper[-1].proven:
            return deeper, vain
        if progress(deeper[-1]) > progress(best[-1]):
            best, best_tried = deeper, vain
    return best, best_tried


def _additions(search: Search, here: Outcome) -> Iterator[tuple[Chosen, ...]]:
    """Single deviations; then, if no particular one gets further, two that show only together."""
    singles = search.candidates(here)
    if search.is_foreign(here, singles):
        return
    got_further = False
    for one in singles:
        if search.can_show(one, here.chosen) and _composes((*here.chosen, one)):
            yield (one,)
            further = progress(search.run((*here.chosen, one))) > progress(here)
            got_further |= further and one.deviation.rank < GENERAL
    if got_further:
        return
    budget = PAIR_STEPS
    for pair in combinations(singles, 2):
        shows = all(
            search.can_show(one, (*here.chosen, other)) for one, other in (pair, pair[::-1])
        )
        if budget > 0 and shows and _composes((*here.chosen, *pair)):
            yield pair
            budget -= search.run((*here.chosen, *pair)).steps


def _composes(chosen: Sequence[Chosen]) -> bool:
    try:
        source(chosen)
    except Conflict:
        return False
    return True


def progress(outcome: Outcome) -> tuple[int, int, int]:
    """How far a replay was equal: step, link, and in it the fewer unequal fields the better."""
    verdict = outcome.verdict
    if outcome.proven:
        return (outcome.known_steps + 2, 0, 0)
    if outcome.equal:
        return (outcome.known_steps + 1, 0, 0)  # by a ledger that proves nothing: it was edited
    if verdict.step is None or verdict.link is None:
        return (0, 0, 0)  # it failed before any step
    hard = [u for u in verdict.unequal if u.weight == HARD]
    # An evaluation comes after all the links of its step.
    return (verdict.step, ORDER[verdict.link], -len(hard))


def _until_contradicted(path: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The path up to the first deviation that its own end speaks against.

    What got further by a link of one step is no cause if the ledger then parts in that very link:
    a loop that zeroes every second time was no loop that never zeroes.
    """
    last = path[-1]
    if last.proven:
        return path
    for place, (before, after) in enumerate(pairwise(path), 1):
        added = _added(before, after, last)
        if added and _contradicts(last, before, added):
            return _until_contradicted(path[:place])
    return path


def _added(before: Outcome, after: Outcome, last: Outcome) -> list[Chosen]:
    """What was switched on between the two, and still is at the end."""
    return [c for c in after.chosen if c in last.chosen and c not in before.chosen]


def _dropped(
    path: tuple[Outcome, ...], kept: tuple[Outcome, ...]
) -> tuple[tuple[Chosen, ...], Verdict] | None:
    """The first deviations that aren't kept, and where the runs part with them."""
    if len(kept) == len(path):
        return None
    after = path[len(kept)]
    return tuple(c for c in after.chosen if c not in kept[-1].chosen), after.verdict


def _contradicts(last: Outcome, before: Outcome, added: Sequence[Chosen]) -> bool:
    """Whether the divergence at the end is of what was to explain the one `before`."""
    link, step, found = before.verdict.link, before.verdict.step, last.divergence
    if link is None or step is None or found is None or found.step - step >= SURE:
        return False
    if link == "batch" and found.link == link:
        # A whole batch that came out equal is no chance; but a few labels are alike in many orders.
        return any(map(_seed, added))
    if found.link == link:
        return found.step > step  # fields of one step that it explains are explained
    told = [record.get(link) for record in (found.left, found.right)]
    return link == "schedule" and None not in told and told[0] != told[1]


def _without_idle(search: Search, path: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """As far without the deviations that it doesn't need: a guess may be overtaken by the truth."""
    last = path[-1]
    for one in last.chosen:
        fewer = tuple(c for c in last.chosen if c is not one)
        if fewer and progress(search.run(fewer)) >= progress(last):
            return _without_idle(search, (*path[:-1], search.run(fewer)))
    return path
