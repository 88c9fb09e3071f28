"""The three loops, by name; each is `train(recipe, data) -> scores`.

    python -m reference train manual

Read `manual.py`, then `accelerated.py` beside it, then `trainer.py`.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from reference.lesson.recipe import Recipe
from reference.messages import nearest

if TYPE_CHECKING:
    from reference.lesson.data.pipeline import Data

    Loop = Callable[[Recipe, Data], dict[str, float]]

# Also the order in which they are shown: the baseline first.
LOOPS = ("trainer", "manual", "accelerated")


def get_loop(name: str) -> "Loop":
    """A loop's `train`, which takes a recipe and its data and returns the task's scores.

    It is imported when it is asked for: `Trainer`'s own import takes seconds.

    Raises:
        InputError: there is no loop of this name.
    """
    if name not in LOOPS:
        raise nearest("loop", name, LOOPS)
    train: Loop = importlib.import_module(f"reference.lesson.loops.{name}").train
    return train
