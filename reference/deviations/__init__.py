"""Known deviations: how hand-written loops differ, each an edit of the lesson's loop in memory.

    python -c "from reference.deviations import *; print(shown([Chosen(CATALOGUE['eps'])]))"

`lesson/loops/manual.py` itself is never changed and knows nothing of this. What a deviation is can
therefore be shown as a diff of the loop, and several can be had at once.
"""

import difflib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference.lesson.loops
from reference.deviations.catalogue import (
    accumulation,
    batches,
    evaluation,
    gradient,
    inputs,
    model,
    optimizer,
    parameters,
    resume,
    schedule,
)
from reference.deviations.clues.clue import Clue
from reference.deviations.deviation import Chosen, Deviation
from reference.deviations.source_edits import Conflict, Edit, apply

if TYPE_CHECKING:
    from reference.lesson.data.pipeline import Data
    from reference.lesson.loops import Loop
    from reference.lesson.recipe import Recipe

__all__ = (
    "CATALOGUE",
    "Chosen",
    "Clue",
    "Conflict",
    "Deviation",
    "Edit",
    "expected_warnings",
    "loop_with",
    "manual_source",
    "shown",
    "source",
    "train_with",
)

_THEMES = (
    optimizer,
    parameters,
    schedule,
    gradient,
    accumulation,
    batches,
    inputs,
    model,
    evaluation,
    resume,
)

# By name, in the order of the table of known deviations; a variant stands beside its kind.
CATALOGUE: dict[str, Deviation] = {
    d.name: d
    for d in sorted((d for theme in _THEMES for d in theme.DEVIATIONS), key=lambda d: d.number)
}
_PLACES = {name: place for place, name in enumerate(CATALOGUE)}


def manual_source() -> str:
    """The text of the lesson's loop."""
    return (Path(reference.lesson.loops.__file__).parent / "manual.py").read_text(encoding="utf-8")


def source(chosen: Sequence[Chosen]) -> str:
    """The lesson's loop with these deviations; with none it is the file's text.

    Raises Conflict where two of them change the same piece of it.
    """
    names = [c.deviation.name for c in chosen]
    for name in names:
        if names.count(name) > 1:
            raise Conflict(f"{name} and {name} are the same deviation")
    ordered = sorted(chosen, key=lambda c: _PLACES[c.deviation.name])
    edits = ((str(c), edit, c.value) for c in ordered for edit in c.deviation.edits)
    return apply(manual_source(), edits)


def shown(chosen: Sequence[Chosen]) -> str:
    """The deviations as a reader sees them: a diff of the lesson's loop."""
    before, after = manual_source().splitlines(), source(chosen).splitlines()
    what = " with " + " and ".join(map(str, chosen)) if chosen else ""
    lines = difflib.unified_diff(before, after, "manual.py", f"manual.py{what}", n=2, lineterm="")
    return "\n".join(lines)


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Without what torch says of a schedule that steps too soon, which is the point here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        yield


def loop_with(chosen: Sequence[Chosen], **others: Any) -> "Loop":
    """As `train_with`; `others` take the place of the loop's own imports of that name."""
    name = "manual.py" + "".join(f", {c}" for c in chosen)
    namespace: dict[str, Any] = {"__name__": "reference.lesson.loops.manual"}
    exec(compile(source(chosen), f"<{name}>", "exec"), namespace)
    namespace.update(others)
    train: Loop = namespace["train"]
    return train


def train_with(chosen: Sequence[Chosen]) -> "Loop":
    """`train(recipe, data)` of the lesson's loop with these deviations. Raises Conflict."""
    train = loop_with(chosen)

    def quietly(recipe: "Recipe", data: "Data") -> dict[str, float]:
        with expected_warnings():
            return train(recipe, data)

    return quietly
