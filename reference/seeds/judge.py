"""Whether a run's scores are those that its recipe has with other seeds: by what is stored of them.

    python -m reference train manual

A rule for both sides: a score that is too good is as suspicious as one that is too bad. A run whose
rows of validation leak into training is of the first kind.
"""

from reference.ledger.record import Record
from reference.seeds.statistics import coverage
from reference.seeds.stored_ranges import find_range

UNUSUAL = "unusual scores"  # how the line begins; `messages.py` has its colour


def judged(header: Record, scores: dict[str, float]) -> str | None:
    """A line on a run's scores.

    The rule: each score lies from the lowest to the highest of the stored seeds'. One more sound
    seed's does so with the probability that the line says (`coverage`), and no more: so no exit
    code follows from it.

    Args:
        header: the first line of the run's ledger.
        scores: by name.

    Returns:
        None where no seeds are stored of this recipe, data, checkpoint and device.
    """
    stored = find_range(header)
    if stored is None:
        return None
    n = len(stored["seeds"])
    inside, outside = [], []
    for name, value in scores.items():
        low, high = (stored["statistics"][name][end] for end in ("lowest", "highest"))
        if low <= value <= high:
            inside.append(f"{name} {value:.4f} in {low:.4f} to {high:.4f}")
        else:
            side = "below" if value < low else "above" if value > high else "not in"  # a NaN
            outside.append(f"{name} {value:.4f} is {side} {low:.4f} to {high:.4f}")
    share = f"{100 * coverage(n):.0f} of 100 seeds"
    if not outside:
        return (
            f"scores: within the range of {n} stored seeds of this recipe: {', '.join(inside)} "
            f"({share} are)"
        )
    return (
        f"{UNUSUAL}: {', '.join(outside)}, the range of {n} stored seeds of this recipe, where "
        f"{share} are; too good is as odd as too bad: look at data, evaluation and versions"
    )
