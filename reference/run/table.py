"""The table of one run or several: a row a loop, or, on a narrow terminal, a column a loop."""

import shutil
from collections.abc import Sequence
from typing import Any

from reference.lesson.data.own_table import split_rule
from reference.lesson.recipe import Recipe
from reference.messages import as_html
from reference.terminal import table


class Metrics(dict[str, Any]):
    """What `metrics.json` holds. A notebook shows it as the table that `train` prints."""

    def _repr_html_(self) -> str:
        return as_html([comparison([self])])


def data_lines(recipe: Recipe) -> list[str]:
    """What is said of the data beside its scores: that it is synthetic, or how it was split."""
    if recipe.data == "embedded":
        return ["data: the embedded corpus, which is synthetic"]
    rule = split_rule(recipe)
    return [f"data: {rule}"] if rule else []


def comparison(metrics: Sequence[dict[str, Any]]) -> str:
    """The table of a comparison: one row a loop, its scores last but for the weights' hash.

    On a terminal that is narrower than that, it has a column for each loop.
    """
    scores = list(metrics[0]["scores"])
    rows = [["loop", "steps", "final loss", *scores, "seconds", "steps/s", "weights"]]
    for m in metrics:
        loss, seconds = m["final_loss"], m["seconds"]
        rows.append(
            [
                m["loop"],
                str(m["steps"]),
                f"{loss:.6f}" if isinstance(loss, float) else str(loss),
                *(f"{m['scores'][name]:.4f}" for name in scores),
                f"{seconds:.1f}",
                f"{m['steps'] / seconds:.1f}" if seconds else "-",
                m["weights"][:12],
            ]
        )
    wide = table(rows)
    # A file or a pipe has no width, and takes any line.
    columns = shutil.get_terminal_size(fallback=(len(wide), 24)).columns
    fits = max(map(len, wide.splitlines())) <= columns
    return wide if fits else table([*zip(*rows, strict=True)])
