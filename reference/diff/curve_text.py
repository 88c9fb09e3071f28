"""How two runs go on after they have parted, as a table."""

from reference.diff.divergence_curve import Point
from reference.diff.value_text import short
from reference.terminal import table


def curve_title(points: tuple[Point, ...]) -> str:
    """What stands above the table; it says why there are no losses, where there are none."""
    title = "how the two go on"
    if all(point.losses == (None, None) for point in points):
        title += " (a loss that no module computes isn't in a ledger)"
    return f"{title}:"


def curve(points: tuple[Point, ...]) -> str:
    """A table: both losses, how far apart they are, and the gradients' norms.

    Of runs whose losses aren't known (a function's, and no module's) it has no column of them. How
    many weights are unequal is told where the gradients' norms are equal at first.
    """
    rows = [["step", "A's loss", "B's loss", "apart", "gradient norms apart", "weights unequal"]]
    for point in points:
        a, b = point.losses
        apart = "-" if a is None or b is None else f"{abs(a - b):.2g}"
        norms = "-" if point.norms is None else f"{100 * point.norms:.2g} %"
        weights = "-" if point.weights is None else "{} of {} tensors".format(*point.weights)
        rows.append([str(point.step), _loss(a), _loss(b), apart, norms, weights])
    losses = any(point.losses != (None, None) for point in points)
    weights_tell = points[0].norms == 0 and any(point.weights for point in points)
    shown = [True, *[losses] * 3, True, weights_tell]
    return table([[cell for cell, show in zip(row, shown, strict=True) if show] for row in rows])


def _loss(loss: float | None) -> str:
    return "-" if loss is None else short(loss)
