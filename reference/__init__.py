"""One fine-tuning run, written three ways, and proof that the three are the same run.

    python -m reference compare

From Python, each loaded when it is first used (this import takes no torch):

- `Recipe`: everything that determines a run
- `run(recipe, loop, run_dir)`: train one loop into a folder
- `compare(recipe, run_dir)`: train the three loops, and the verdict on them
- `seeds(recipe, n)`: train one recipe with n seeds, and the statistics of their scores
- `diff(a, b)`: the first divergence between two ledgers
- `lockstep(a, b)`: every difference between two trainings, proven
- `explain(ledger, recipe)`: the known deviations that make a ledger out of a recipe's run
- `observing(run_dir)`: the ledger of any training within a `with`
- `assert_same_run(loop)`: fails unless a training loop is the recipe's run, to the last bit
- `assert_same_training(mine, theirs)`: fails unless two trainings differ in their seeds alone

`diff`, `run`, `compare`, `explain`, `lockstep` and `seeds` are also the packages that the functions
live in: see `callable_package.py`.
"""

import importlib

# As `typing.TYPE_CHECKING`, which checkers know by this name. This file is run before
# `process/search_path.py`, and a `typing.py` may lie in the working directory.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from reference.compare.three_loops import compare
    from reference.diff.ledgers import diff
    from reference.explain.command import explain
    from reference.lesson.recipe import Recipe
    from reference.lockstep.both import lockstep
    from reference.observe.script import observing
    from reference.run.one_run import run
    from reference.seeds.training import seeds
    from reference.testing import assert_same_run, assert_same_training

__all__ = [
    "Recipe",
    "assert_same_run",
    "assert_same_training",
    "compare",
    "diff",
    "explain",
    "lockstep",
    "observing",
    "run",
    "seeds",
]
__version__ = "0.1.0"

_MODULES = {
    "Recipe": "reference.lesson.recipe",
    "assert_same_run": "reference.testing",
    "assert_same_training": "reference.testing",
    "observing": "reference.observe.script",
}


def __getattr__(name: str) -> "Any":
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in __all__:  # one of the packages that can be called
        return importlib.import_module(f"reference.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
