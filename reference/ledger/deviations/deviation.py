"""What a deviation is: an edit of the lesson's loop, and all that is known of it.

See them all: `python -c "from reference.ledger.deviations import *; print(*CATALOGUE)"`
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reference.ledger.deviations.clue import Clue
from reference.ledger.deviations.edit import Edit
from reference.recipe import Recipe


def always(_recipe: Recipe, _rows: int) -> bool:
    """A deviation that no recipe hides."""
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
        return [Chosen(self, value) for value in dict.fromkeys(values)]


@dataclass(frozen=True)
class Chosen:
    """A deviation switched on, with its value where it takes one (else the known one)."""

    deviation: Deviation
    value: Any = None

    def __post_init__(self) -> None:
        if self.value is None:
            object.__setattr__(self, "value", self.deviation.value)

    def __str__(self) -> str:
        if self.value is None:
            return self.deviation.name
        parts = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{self.deviation.name} {', '.join(map(str, parts))}"
