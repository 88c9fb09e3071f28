"""What the losses of a step weigh, where the two trainings make another number of passes of it.

Two passes for A's one have half its weight each, or as much as their rows have of the step's. That
goes with the passes. A loss that isn't divided, or is multiplied, doesn't.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reference.ledger.record import Record

if TYPE_CHECKING:
    from reference.lockstep.differences import Difference

WEIGHT = "weight"
CLOSE = 1e-3  # relative: losses are float32


def pass_weights(notes: Sequence[Record]) -> list[Difference]:
    """The weight of B's passes beside A's, where most steps have another than goes with passes."""
    from reference.lockstep.differences import Difference

    of_steps = [n for n in notes if n["field"] == "passes" and None not in n["weights"]]
    of_steps = [n for n in of_steps if n["weights"]]
    other = []
    for note in of_steps:
        shares = [rows[0] / sum(rows) if rows and sum(rows) else 0.0 for rows in note["rows"]]
        goes_with = [note["a"] / note["b"], *([shares[1] / shares[0]] if all(shares) else [])]
        weight = note["weights"][0]
        if not any(math.isclose(weight, each, rel_tol=CLOSE) for each in goes_with):
            other.append({**note, "a": goes_with[0], "b": weight, "passes": [note["a"], note["b"]]})
    if not other or 2 * len(other) < len(of_steps):
        return []
    kept = [{**n, "link": "gradient", "field": WEIGHT} for n in other]
    return [Difference("gradient", WEIGHT, kept)]
