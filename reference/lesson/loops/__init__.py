"""The three loops, by name; each is `train(recipe, data) -> evaluations`.

    python -m reference train manual

Read `manual.py`, then `accelerated.py` beside it, then `trainer.py`.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.messages import nearest

if TYPE_CHECKING:
    from reference.lesson.data.pipeline import Data
    from reference.lesson.metrics import Scores

    # Loss and scores of each evaluation, by the steps before it; the last one is the end's.
    Loop = Callable[[Recipe, Data], dict[int, Scores]]

# Also the order in which they are shown: the baseline first.
LOOPS = ("trainer", "manual", "accelerated")
# Those that train on several processes; the manual one has no distribution, as in the course.
LOOPS_OF_SEVERAL = ("trainer", "accelerated")


def get_loop(name: str) -> "Loop":
    """A loop's `train`, which takes a recipe and its data and returns its evaluations.

    It is imported when it is asked for: `Trainer`'s own import takes seconds.

    Raises:
        InputError: there is no loop of this name, or one without its file or its function.
    """
    if name not in LOOPS:
        raise nearest("loop", name, LOOPS)
    module = f"{__name__}.{name}"
    if importlib.util.find_spec(module) is None:
        raise InputError(f"loop {name}: is in LOOPS, and has no file {name}.py beside it")
    train: Loop | None = getattr(importlib.import_module(module), "train", None)
    if train is None:
        raise InputError(f"loop {name}: its file has no function train(recipe, data)")
    return train
