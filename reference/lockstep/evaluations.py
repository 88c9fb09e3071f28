"""Evaluations between steps: each side makes its own, and what comes out is compared.

Nothing is put in place of it. B has A's weights by then, so that what is unequal is the evaluation.
"""

from collections.abc import Callable
from typing import Any

import torch

from reference.diff.evaluation_differences import WEIGHTS, evaluation
from reference.diff.unequal import HARD, Pair
from reference.ledger.record import Record
from reference.observe.step import describe
from reference.observe.step.arguments import arguments_of
from reference.observe.step.content import Content
from reference.observe.step.evaluation import Evaluations
from reference.observe.step.rows import rows_of
from reference.observe.step.tensors_in import numbers_in
from reference.observe.tensors.seen_models import SeenModel, SeenModels


class OwnEvaluations:
    """Forward passes without gradients, gathered as a ledger has them.

    Args:
        write: Gets the record of each evaluation when a step or the end comes.
    """

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._seen = SeenModels(uncalled=False)
        self._evaluations = Evaluations(write)
        self._open: tuple[SeenModel, tuple[bool, str], Content] | None = None

    def begin(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A pass begins."""
        seen = self._seen.see(module)
        given = arguments_of(module, args, kwargs)
        content = Content(rows_of(given.tensors, seen.padding))
        content.take(given.tensors, keep=True)
        content.arguments = given.plain
        self._open = seen, (module.training, describe.autocast(module)), content

    def end(self, step: int, output: Any) -> None:
        """The pass is over."""
        if self._open is None:
            return
        seen, mode, content = self._open
        self._open = None
        content.give(numbers_in(output), keep=False)
        self._evaluations.add(step, seen, mode, content)

    def take_scores(self, scores: dict[str, float]) -> None:
        """Those of the last evaluation."""
        self._evaluations.add_scores(scores)

    def take_step_of(self, module: torch.nn.Module) -> None:
        """A model trains."""
        self._seen.take_step_of(self._seen.see(module))

    def close(self) -> None:
        """Write those that are open."""
        self._evaluations.close()


def unequal_fields(
    theirs: Record, ours: Record, *, is_first: bool
) -> list[tuple[str, Any, Any, bool]]:
    """What is unequal in two evaluations: field, both values, and whether it matters.

    Args:
        theirs: A's record.
        ours: B's.
        is_first: They were made before the first step, where B's weights are still its own: then
            nothing is said of those with other weights.
    """
    pair = Pair(theirs, ours)
    found = list(evaluation(pair))
    if is_first and any(unequal.field == WEIGHTS for unequal in found):
        return []
    return [(u.field, u.left, u.right, u.weight is HARD) for u in found]
