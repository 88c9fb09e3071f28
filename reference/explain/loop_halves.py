"""The manual loop in two halves: its training, and the function that evaluates.

Where two texts train alike, the training is run once: what it leaves behind is the other text's
starting point as well.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

TRAIN, EVALUATE = "train", "evaluate"  # the loop's functions


@dataclass(frozen=True)
class Halves:
    """A text of the loop, as its two functions.

    Attributes:
        training: the text of `train`, without comments and layout: of two texts in which it is
            equal the trainings are, up to the first evaluation.
    """

    training: str
    _names: dict[str, Any]

    def train(self, recipe: Any, data: Any, evaluate: Callable[..., Any]) -> Any:
        """Train, with another function in the place of the text's own `evaluate`."""
        train = self._names[TRAIN]
        return FunctionType(train.__code__, {**self._names, EVALUATE: evaluate})(recipe, data)

    def evaluate(self, *arguments: Any) -> dict[str, float]:
        """Evaluate, by what `train` gave; the loss and the scores."""
        scores: dict[str, float] = self._names[EVALUATE](*arguments)
        return scores


def halves(text: str) -> Halves:
    """The two halves of a text of the manual loop."""
    module = ast.parse(text)
    train = next(s for s in module.body if isinstance(s, ast.FunctionDef) and s.name == TRAIN)
    names: dict[str, Any] = {"__name__": "reference.lesson.loops.manual"}
    exec(compile(module, "<manual.py>", "exec"), names)
    return Halves(ast.unparse(train), names)
