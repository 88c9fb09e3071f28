"""The table of a comparison: a row a loop."""

from collections.abc import Sequence
from typing import Any

from reference.terminal import table


def comparison(metrics: Sequence[dict[str, Any]]) -> str:
    """The table of a comparison: one row a loop, its scores last but for the weights' hash."""
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
    return table(rows)
