"""The manual loop with deviations switched on: as a text, as a diff, and as a function that trains.

`lesson/loops/manual.py` itself is never changed, and knows nothing of deviations.
"""

import difflib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference.lesson.loops
from reference.deviations.catalogue import CATALOGUE
from reference.deviations.deviation import Chosen
from reference.deviations.source_edits import Conflict, apply

if TYPE_CHECKING:
    from reference.lesson.data.pipeline import Data
    from reference.lesson.loops import Loop
    from reference.lesson.recipe import Recipe

_ORDER = {name: place for place, name in enumerate(CATALOGUE)}


def manual_source() -> str:
    """The text of the manual loop, as its file has it."""
    return (Path(reference.lesson.loops.__file__).parent / "manual.py").read_text(encoding="utf-8")


def edited_source(chosen: Sequence[Chosen]) -> str:
    """The text of the manual loop with these deviations, in whatever order they are given.

    Raises:
        Conflict: where two of them change the same piece of the text.
    """
    names = [c.deviation.name for c in chosen]
    for name in names:
        if names.count(name) > 1:
            raise Conflict(f"{name} and {name} are the same deviation")
    ordered = sorted(chosen, key=lambda c: _ORDER[c.deviation.name])
    edits = ((str(c), edit, c.value) for c in ordered for edit in c.deviation.edits)
    return apply(manual_source(), edits)


def loop_diff(chosen: Sequence[Chosen]) -> str:
    """What the deviations change in the manual loop, as a unified diff. Raises Conflict."""
    before, after = manual_source().splitlines(), edited_source(chosen).splitlines()
    names = " with " + " and ".join(map(str, chosen)) if chosen else ""
    lines = difflib.unified_diff(before, after, "manual.py", f"manual.py{names}", n=2, lineterm="")
    return "\n".join(lines)


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Hide torch's warning of a schedule that steps before the optimizer: some deviations do."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        yield


def loop_with(chosen: Sequence[Chosen], **replaced: Any) -> "Loop":
    """The manual loop's `train` with these deviations.

    Args:
        chosen: the deviations to switch on.
        replaced: functions that take the place of those that the loop imports by these names.

    Raises:
        Conflict: where two of them change the same piece of the loop.
    """
    name = "manual.py" + "".join(f", {c}" for c in chosen)
    namespace: dict[str, Any] = {"__name__": "reference.lesson.loops.manual"}
    exec(compile(edited_source(chosen), f"<{name}>", "exec"), namespace)
    namespace.update(replaced)
    train: Loop = namespace["train"]
    return train


def train_with(chosen: Sequence[Chosen]) -> "Loop":
    """As `loop_with`, without torch's warning of a schedule that steps too soon."""
    train = loop_with(chosen)

    def quietly(recipe: "Recipe", data: "Data") -> dict[str, float]:
        with expected_warnings():
            return train(recipe, data)

    return quietly
