"""What a deviation is: an edit of the lesson's loop, and all that is known of it.

See them all: `python -c "from reference.deviations import *; print(*CATALOGUE)"`
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reference.deviations.clues.clue import Clue
from reference.deviations.source_edits import Edit
from reference.errors import InputError
from reference.lesson.recipe import Recipe

VALUE = "VALUE"  # stands among a recipe's fields for the deviation's own value


def always(_recipe: Recipe, _rows: int) -> bool:
    """A deviation that no recipe hides."""
    return True


def any_value(_recipe: Recipe, _value: Any) -> bool:
    """A value that costs nothing, whatever it is, or is one of a few."""
    return True


@dataclass(frozen=True, eq=False)
class Deviation:
    """One known way in which a hand-written loop differs from the recipe.

    `link` is where it first shows in the ledger, and `also` names others where it may;
    `values` reads from another run's ledger which values are worth a try, and `fits` whether the
    deviation is: both only ever leave out what can't be.
    """

    name: str
    number: int  # the row of the table of known deviations; a variant has that of its kind
    link: str
    sentence: str
    source: str
    shows: str
    edits: tuple[Edit, ...]
    also: tuple[str, ...] = ()
    # What a small recipe has to have for it to show; and to hide it, so that not a bit differs.
    shows_with: Mapping[str, Any] = field(default_factory=dict)
    hidden_with: Mapping[str, Any] | None = None
    can_show: Callable[[Recipe, int], bool] = always  # of a recipe and its training rows
    # What of a recipe it stands for. A value that no recipe can hold is none to be tried; and
    # beside it another deviation may show that the recipe itself hides.
    sets: Mapping[str, Any] = field(default_factory=dict)
    holds: Callable[[Recipe, Any], bool] = any_value  # a ledger's value may be of any size
    twin: str = ""  # another one that always is the very same run, and is named in its place
    length: bool = False  # it may change the number of steps in the run
    rank: int = 0  # where two explain a ledger alike, the lower one is named
    value: Any = None
    values: Callable[[Clue], Sequence[Any]] | None = None
    fits: Callable[[Clue], bool] | None = None

    def tries(self, clue: Clue) -> "list[Chosen]":
        """This deviation with each value worth a try for a divergence; most often none."""
        if (
            self.twin
            or clue.link not in (self.link, *self.also)
            or (self.fits and not self.fits(clue))
        ):
            return []
        values = self.values(clue) if self.values else [None]
        found = [Chosen(self, value) for value in dict.fromkeys(values)]
        return [one for one in found if one.fits_in(clue.recipe)]


@dataclass(frozen=True)
class Chosen:
    """A deviation switched on, with its value where it takes one (else the known one)."""

    deviation: Deviation
    value: Any = None

    def __post_init__(self) -> None:
        if self.value is None:
            object.__setattr__(self, "value", self.deviation.value)

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with the fields that this stands for. Raises InputError for a bad value."""
        fields = {k: self.value if v == VALUE else v for k, v in self.deviation.sets.items()}
        return replace(recipe, **fields)

    def fits_in(self, recipe: Recipe) -> bool:
        """Whether a recipe could hold this value, and a run of it end."""
        try:
            self.applied(recipe)
        except InputError:
            return False
        return self.deviation.holds(recipe, self.value)

    def __str__(self) -> str:
        if self.value is None:
            return self.deviation.name
        parts = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{self.deviation.name} {', '.join(map(str, parts))}"
