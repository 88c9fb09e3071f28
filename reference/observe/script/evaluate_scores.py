"""What the library `evaluate` computes, as an evaluation's scores."""

import functools
import numbers
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from reference.observe.patched_functions import patched

Take = Callable[[dict[str, float]], None]


def scores_taken(take: Take) -> AbstractContextManager[None]:
    """Within it, `take` gets the scores of each metric; `evaluate` has been imported."""
    metric = sys.modules["evaluate"].EvaluationModule
    return patched(metric, "compute", functools.partial(_and_take, take))


def _and_take(take: Take, compute: Callable[..., Any]) -> Callable[..., Any]:
    def compute_and_take(*args: Any, **kwargs: Any) -> Any:
        """As without an observer."""  # each metric copies this method and adds to its text
        scores = compute(*args, **kwargs)
        if isinstance(scores, Mapping):  # None in all processes but the first
            take({k: float(v) for k, v in scores.items() if isinstance(v, numbers.Real)})
        return scores

    return compute_and_take
