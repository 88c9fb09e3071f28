"""The manual loop in two halves: training, and the evaluation after it.

Where two texts train alike, the training is run once: what it leaves behind is the other text's
starting point as well.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The evaluation's first statement assigns to this name.
EVALUATION_BEGINS = "metric"


@dataclass(frozen=True)
class Halves:
    """A text of the loop, cut where its evaluation begins.

    Attributes:
        training: the first half, without comments and layout: equal texts are equal trainings.
    """

    training: str
    _module: ast.Module
    _at: int

    def train(self, recipe: Any, data: Any) -> dict[str, Any]:
        """Run the first half; the loop's variables as it leaves them."""
        half = ast.parse("def train(recipe, data):\n    return locals()")
        function = half.body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body[:0] = self._statements()[: self._at]
        left: dict[str, Any] = self._function(half, "train")(recipe, data)
        return left

    def evaluate(self, variables: Mapping[str, Any]) -> dict[str, float]:
        """Run the second half on the first one's variables; the scores."""
        names = ", ".join(variables)
        half = ast.parse(f"def evaluate({names}):\n    pass")
        function = half.body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body = self._statements()[self._at :]
        scores: dict[str, float] = self._function(half, "evaluate")(**variables)
        return scores

    def _statements(self) -> list[ast.stmt]:
        return _train_of(self._module).body

    def _function(self, half: ast.Module, name: str) -> Any:
        """The half as a function, among the module's own imports and helpers."""
        around = [s for s in self._module.body if s is not _train_of(self._module)]
        module = ast.Module([*around, *half.body], type_ignores=[])
        namespace: dict[str, Any] = {"__name__": "reference.lesson.loops.manual"}
        exec(compile(ast.fix_missing_locations(module), f"<manual.py, {name}>", "exec"), namespace)
        return namespace[name]


def halves(text: str) -> Halves | None:
    """The two halves; None for a text whose evaluation doesn't begin as the manual loop's does."""
    module = ast.parse(text)
    statements = _train_of(module).body
    at = next((i for i, s in enumerate(statements) if _assigns(s)), None)
    if at is None:
        return None
    training = ast.unparse(ast.Module(statements[:at], type_ignores=[]))
    return Halves(training, module, at)


def _train_of(module: ast.Module) -> ast.FunctionDef:
    return next(s for s in module.body if isinstance(s, ast.FunctionDef) and s.name == "train")


def _assigns(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == EVALUATION_BEGINS
        for target in statement.targets
    )
