"""A loop with deviations switched on: as a text, as a diff, and as a function that trains.

It is the manual loop, and on several processes the Accelerate loop, in whose text most edits of the
manual loop have their place, too. The loops' files are never changed, and know nothing of it.
"""

import ast
import builtins
import difflib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference.lesson.loops
from reference.deviations.anchors import ON_DEVICE, WITHOUT_GRADIENTS
from reference.deviations.catalogue import EVERY
from reference.deviations.deviation import MANUAL, Chosen
from reference.deviations.source_edits import Conflict, Edit, apply

if TYPE_CHECKING:
    from reference.lesson.data.pipeline import Data
    from reference.lesson.loops import Loop
    from reference.lesson.metrics import Scores
    from reference.lesson.recipe import Recipe

# What Accelerate changes in the manual loop's text, so that edits of it have their place in the
# other loop, too. The device isn't among it: an edit that names it is of the manual loop alone, but
# for an evaluation that is put in.
IN_ACCELERATED = {
    "loss.backward()": "accelerator.backward(loss)",
    "torch.nn.utils.clip_grad_norm_": "accelerator.clip_grad_norm_",
    '(len(batch["labels"]) / num_samples)': "weight",
}
PUT_IN_ACCELERATED = {WITHOUT_GRADIENTS: "with torch.no_grad():", ON_DEVICE: "model(**batch)"}
_ORDER = {name: place for place, name in enumerate(EVERY)}


def loop_source(loop: str = MANUAL) -> str:
    """The text of a loop, as its file has it."""
    return (Path(reference.lesson.loops.__file__).parent / f"{loop}.py").read_text(encoding="utf-8")


def edited_source(chosen: Sequence[Chosen], loop: str = MANUAL) -> str:
    """The text of a loop with these deviations, in whatever order they are given.

    Raises:
        Conflict: where two of them change the same piece of the text, or one has no place in it.
    """
    names = [c.deviation.name for c in chosen]
    for name in names:
        if names.count(name) > 1:
            raise Conflict(f"{name} and {name} are the same deviation")
    ordered = sorted(chosen, key=lambda c: _ORDER[c.deviation.name])
    edits = (
        (str(c), _edit_of(c, edit, loop), c.value) for c in ordered for edit in c.deviation.edits
    )
    return apply(loop_source(loop), edits)


def _edit_of(chosen: Chosen, edit: Edit, loop: str) -> Edit:
    """An edit as it is in a loop's text."""
    if loop == chosen.deviation.loop:
        return edit
    anchor, text = edit.anchor, edit.text
    for manual, accelerated in IN_ACCELERATED.items():
        anchor, text = anchor.replace(manual, accelerated), text.replace(manual, accelerated)
    for manual, accelerated in PUT_IN_ACCELERATED.items():
        text = text.replace(manual, accelerated)
    return replace(edit, anchor=anchor, text=text)


def lacks_a_name(text: str) -> bool:
    """Whether a loop's text uses a name that it doesn't have, as an edit of the other loop may."""
    names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    made = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.alias):
            made.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
    return bool(used - made - vars(builtins).keys() - {"__name__", "__file__"})


def loop_diff(chosen: Sequence[Chosen]) -> str:
    """What deviations of one loop change in it, as a unified diff. Raises Conflict."""
    loop = chosen[0].deviation.loop if chosen else MANUAL
    before, after = loop_source(loop).splitlines(), edited_source(chosen, loop).splitlines()
    names = " with " + " and ".join(map(str, chosen)) if chosen else ""
    file = f"{loop}.py"
    lines = difflib.unified_diff(before, after, file, f"{file}{names}", n=2, lineterm="")
    return "\n".join(lines)


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Hide torch's warning of a schedule that steps before the optimizer: some deviations do."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        yield


def loop_with(chosen: Sequence[Chosen], loop: str = MANUAL, **replaced: Any) -> "Loop":
    """A loop's `train` with these deviations.

    Args:
        chosen: the deviations to switch on.
        loop: the loop's name.
        replaced: functions that take the place of those that the loop imports by these names.

    Raises:
        Conflict: where two of them change the same piece of the loop.
    """
    name = f"{loop}.py" + "".join(f", {c}" for c in chosen)
    namespace: dict[str, Any] = {"__name__": f"reference.lesson.loops.{loop}"}
    exec(compile(edited_source(chosen, loop), f"<{name}>", "exec"), namespace)
    namespace.update(replaced)
    train: Loop = namespace["train"]
    return train


def train_with(chosen: Sequence[Chosen], loop: str = MANUAL) -> "Loop":
    """As `loop_with`, without torch's warning of a schedule that steps too soon."""
    train = loop_with(chosen, loop)

    def quietly(recipe: "Recipe", data: "Data") -> "dict[int, Scores]":
        with expected_warnings():
            return train(recipe, data)

    return quietly
