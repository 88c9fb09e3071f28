"""`assert_same_run`: is a training loop of somebody's own the recipe's run, to the last bit?

    python -c "from reference import testing; help(testing.assert_same_run)"

In pytest the fixture `same_run` is the same function. Importing this module takes no torch; what
trains is imported when it is called. In the order to read them in:

- `check.py`: the loop observed, compared with the recipe's run, the difference explained;
- `loop_arguments.py`: what the loop gets, by the names of its parameters;
- `diagnosis.py`: the lines of a failed test;
- `global_state.py`: global state put back when it is over;
- `same_training.py`: two trainings of anybody's, by lockstep.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.testing.same_training import assert_same_training as assert_same_training

if TYPE_CHECKING:
    from reference.lesson.recipe import Recipe

DEFAULT_STEPS = 40


def assert_same_run(
    mine: Callable[..., Any], recipe: str | Path | Recipe = "embedded", **fields: Any
) -> None:
    """Observe `mine` while it trains, and fail unless it is the run that the recipe describes.

    The recipe's run is that of the loop `manual`, which is the stock Trainer's. `recipe` is a
    recipe's name, a Recipe or the path of a `recipe.json`; `fields` replace some of its fields
    (`max_steps=100`, `dropout=0.0`). Where neither they nor the recipe say how long a run is,
    by `max_steps` or by `num_train_epochs=`, it is 40 steps, which takes seconds; `max_steps=-1`
    is all the epochs. The embedded recipe needs no network.

    `mine` gets what it asks for by the names of its parameters, as a pytest fixture does:

    - `model`: the recipe's checkpoint with its new head, on `device`, as `from_pretrained` leaves
      it (in eval mode);
    - `train_dataloader`, `eval_dataloader`: the recipe's batches, in its order. The first ends
      where the run does, so that a loop over it needs no count of steps;
    - `data` (the tokenized splits, `tokenizer` and `collator`) and `tokenizer`, to make others of;
    - `num_training_steps` and `num_epochs` of this run, `device` (a torch.device) and `recipe`.

    All of it is made anew for each call, and the generators of Python, NumPy and torch are seeded
    with the recipe's seed after it, just before `mine` is called: `Trainer` seeds after the model
    is made, too. A loop that makes its own model has to seed after that itself. It runs on the
    recipe's number of threads (1 unless said otherwise).

    If `mine` returns a mapping, those of its entries that are scores of the task (`accuracy`,
    `eval_f1`) are compared as well. Evaluating more or less often than the recipe is no difference.

    Raises AssertionError with the diagnosis: the step and link at which the two part, and the known
    deviations that explain it, proven by replay; or that nothing known does. TypeError for a
    parameter that nothing is known for, InputError for a recipe that can't be used. What `mine`
    itself raises passes unchanged. Global state, generators included, is afterwards as before.
    """
    __tracebackhide__ = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries' own imports
        from reference.testing.check import check
    check(mine, recipe, fields, DEFAULT_STEPS)
