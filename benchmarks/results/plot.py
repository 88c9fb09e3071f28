"""The plot of a run's section in benchmarks/README.md."""

import io
from collections.abc import Sequence
from typing import Any

from benchmarks.timing.paired_ratio import Ratio
from reference.lesson.loops import LOOPS


def draw(measured: Sequence[dict[str, Any]]) -> bytes:
    """What each loop adds to the bare step in percent, and the share of the peak, as a PNG.

    Args:
        measured: the `extra_info` of the loops in turn, one for each checkpoint.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    width = 0.8 / len(measured)
    middle = width * (len(measured) - 1) / 2
    for number, extra in enumerate(measured):
        places = [place + number * width for place in range(len(LOOPS))]
        steps = [Ratio(**extra["ratios"][f"{extra['checkpoint']}-{n}-step"]) for n in LOOPS]
        added = [100 * (r.median - 1) for r in steps]
        errors = [
            [100 * (r.median - r.low) for r in steps],
            [100 * (r.high - r.median) for r in steps],
        ]
        left.bar(places, added, width, yerr=errors, label=extra["checkpoint"])
        names = ["bare", *LOOPS]
        at = [place + number * width for place in range(len(names))]
        right.bar(at, [100 * extra["share_of_peak"][n] for n in names], width)
    left.set_xticks([p + middle for p in range(len(LOOPS))], LOOPS)
    left.set_ylabel("added to the bare step, %")
    left.legend(frameon=False)
    right.set_xticks([p + middle for p in range(len(LOOPS) + 1)], ["bare", *LOOPS])
    right.set_ylabel("of the matrix product peak, %")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    pyplot.close(figure)
    return picture.getvalue()
