"""What a user's type checker makes of the public names: `mypy` reads this file, nobody runs it.

The wrong calls at the end are errors that have to be there: mypy fails for an ignored error that
isn't.
"""

from pathlib import Path
from typing import Any, assert_type

from reference import Recipe, assert_same_run, compare, diff, explain, observing, run
from reference.diff.verdict import Verdict

recipe = Recipe(max_steps=3)
assert_type(diff("runs/A", Path("runs/B")), Verdict)
assert_type(compare(recipe, "runs/C"), Verdict)
assert_type(run(recipe, "manual", "runs/D"), dict[str, Any])
assert_type(explain("runs/A", recipe).proven, bool)
with observing("runs/E") as observer:
    assert_type(observer.steps, int)
assert_same_run(print, recipe, max_steps=3)

diff(1, "b")  # type: ignore[arg-type]
compare(recipe)  # type: ignore[call-arg]
run(recipe, "manual", 3)  # type: ignore[arg-type]
explain("a").nix  # type: ignore[attr-defined]  # noqa: B018
Recipe(seed="x")  # type: ignore[arg-type]
