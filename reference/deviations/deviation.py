"""What a deviation is: an edit of one of the loops, and all that is known of it.

An entry of the catalogue is one `Deviation`; `Chosen` is one that is switched on, with its value.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.clue import Clue
from reference.deviations.source_edits import VALUE, Edit
from reference.errors import InputError
from reference.ledger.link_table import LINKS, METRICS
from reference.lesson.recipe import FIELDS, Recipe

MANUAL, ACCELERATED = "manual", "accelerated"  # the loops that deviations edit
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def always(_recipe: Recipe, _rows: int) -> bool:
    """No recipe hides the deviation."""
    return True


def as_it_is(value: Any) -> str:
    """A value as it reads behind its deviation's name."""
    return ", ".join(map(str, value if isinstance(value, tuple) else (value,)))


def any_value(_recipe: Recipe, _value: Any) -> bool:
    """A run with the value costs about as much as any, whatever the value is."""
    return True


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a deviation needs, beside its entry's other fields, to show on a certain corpus.

    Attributes:
        value: the value that is tried there; None for the entry's `default_value`.
        recipe: fields of the recipe, which go before those of `shows_in_recipe`.
    """

    value: Any = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Deviation:
    """One known way in which a hand-written loop differs from the recipe.

    The first seven fields are the columns of the catalogue, as users read them, and the edit; an
    entry needs them all. The others say when `explain` tries the deviation, and how tests and the
    matrix train it.

    Attributes:
        name: what it is called, in verdicts and on the command line.
        row: its row in the catalogue, which is sorted by it. Variants of one kind share a row.
        link: the link of the ledger in which it first shows.
        also_in: other links in which it may first show, by the recipe and by what is beside it.
        summary: what the loop does, in a sentence.
        shows_when: the condition, in words, under which it is another run at all.
        citation: where it was seen (see `citations.py`), or NO_REPORT.
        edits: what it changes in the text of its loop; VALUE stands for its value.
        loop: the loop whose text it edits. Those of `accelerated` need several processes, which the
            manual loop doesn't have.
        default_value: the value that it has where no other is given; None for one without a value.
        values_to_try: reads off a divergence the values that may be the cause.
        value_text: the value as it reads behind the name.
        suggested_by: reads off a divergence whether this may be the cause. It rules out what
            can't be; what a ledger doesn't hold rules out nothing.
        applies_to: whether it can show, by the recipe and the number of training rows.
        affordable: whether a run by the recipe can have the value; a ledger's may be of any size.
        replaces_fields: fields of the recipe that it stands for, VALUE for its own value. A value
            that the recipe refuses is never tried.
        shows_in_recipe: fields that the default recipe needs so that it shows.
        hidden_in_recipe: fields with which it changes no bit of the run; none: nothing hides it.
        in_tests: what else it needs on the tests' 44 short pairs.
        in_matrix: what else it needs on the embedded corpus of 3,668 pairs.
        same_run_as: another deviation that always gives the very same run, and is named for both.
        changes_length: whether it may change the number of steps of a run.
        generality: how much it fits. Where several explain a ledger, the least general is named:
            0 for one particular fault, 2 for one that fits any slope or any factor.
    """

    name: str
    row: int
    link: str
    also_in: tuple[str, ...] = ()
    summary: str
    shows_when: str
    citation: str
    edits: tuple[Edit, ...]
    loop: str = MANUAL
    default_value: Any = None
    values_to_try: Callable[[Clue], Sequence[Any]] | None = None
    value_text: Callable[[Any], str] = as_it_is
    suggested_by: Callable[[Clue], bool] | None = None
    applies_to: Callable[[Recipe, int], bool] = always
    affordable: Callable[[Recipe, Any], bool] = any_value
    replaces_fields: Mapping[str, Any] = field(default_factory=dict)
    shows_in_recipe: Mapping[str, Any] = field(default_factory=dict)
    hidden_in_recipe: Mapping[str, Any] = field(default_factory=dict)
    in_tests: Trial = Trial()
    in_matrix: Trial = Trial()
    same_run_as: str = ""
    changes_length: bool = False
    generality: int = 0

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(f"deviation {self.name!r}: {problem}")

    def _problems(self) -> Iterator[str]:
        """What is missing or contradicts itself in an entry of the catalogue."""
        if not NAME.fullmatch(self.name):
            yield "name: give lower-case words joined by hyphens"
        links = (self.link, *self.also_in)
        if not {*links} <= {*LINKS, METRICS}:
            yield f"link, also_in: a link is one of {', '.join((*LINKS, METRICS))}"
        if len({*links}) != len(links):
            yield "link, also_in: a link is named twice"
        if self.loop not in (MANUAL, ACCELERATED):
            yield f"loop: give {MANUAL}, or {ACCELERATED} for what needs several processes"
        if not self.summary.endswith("."):
            yield "summary: give a sentence that ends in a full stop"
        if not self.shows_when or not self.citation:
            yield "shows_when, citation: neither may be empty; NO_REPORT says that none is known"
        if not self.edits:
            yield "edits: without one it is the recipe's own run"
        takes_value = self.default_value is not None
        if any(VALUE in edit.text for edit in self.edits) != takes_value:
            yield "edits, default_value: an edit has VALUE in it just where there is a value"
        if (self.values_to_try is not None) != takes_value:
            yield "values_to_try, default_value: give both, or neither"
        trials = (self.in_tests, self.in_matrix)
        if not takes_value and any(trial.value is not None for trial in trials):
            yield "in_tests, in_matrix: a value is given, and the deviation takes none"
        mappings = (self.replaces_fields, self.shows_in_recipe, self.hidden_in_recipe)
        for name in {name for m in (*mappings, *(t.recipe for t in trials)) for name in m}:
            if name not in FIELDS:
                yield f"{name} is no field of a recipe"

    @property
    def description(self) -> str:
        """What users read of it: summary, condition, and where it was seen, if anywhere."""
        return f"{self.summary} Shows: {self.shows_when}.{self.seen_in}"

    @property
    def seen_in(self) -> str:
        """Its citation, as words that follow a sentence; empty where no report is known."""
        return "" if self.citation == NO_REPORT else f" Seen in: {self.citation}."

    def candidates(self, clue: Clue) -> "list[Chosen]":
        """The deviation with each value that may be the cause of a divergence.

        Args:
            clue: where two runs part, and what the other run's ledger holds.

        Returns:
            One `Chosen` for each value; most often none at all.
        """
        if self.same_run_as or clue.link not in (self.link, *self.also_in):
            return []
        if self.suggested_by is not None and not self.suggested_by(clue):
            return []
        values = self.values_to_try(clue) if self.values_to_try else [None]
        candidates = [Chosen(self, value) for value in dict.fromkeys(values)]
        return [chosen for chosen in candidates if chosen.possible_in(clue.recipe)]


@dataclass(frozen=True)
class Chosen:
    """A deviation switched on, with its value; `None` stands for the entry's `default_value`.

    As text it reads `name value`, as in a verdict.
    """

    deviation: Deviation
    value: Any = None

    def __post_init__(self) -> None:
        if self.value is None:
            object.__setattr__(self, "value", self.deviation.default_value)

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with the fields that the deviation stands for.

        Raises:
            InputError: where a recipe can't have the value.
        """
        replaced = self.deviation.replaces_fields
        return replace(recipe, **{k: self.value if v == VALUE else v for k, v in replaced.items()})

    def possible_in(self, recipe: Recipe) -> bool:
        """Whether a run by the recipe can have this value, and afford it."""
        try:
            self.applied_to(recipe)
        except InputError:
            return False
        return self.deviation.affordable(recipe, self.value)

    def __str__(self) -> str:
        if self.value is None:
            return self.deviation.name
        return f"{self.deviation.name} {self.deviation.value_text(self.value)}"
