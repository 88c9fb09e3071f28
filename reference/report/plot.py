"""Curves as a picture: PNG and SVG, readable at a width of 600 pixels.

    python -m reference plot runs/mine

matplotlib comes with the extra `plot`.
"""

import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reference.errors import InputError
from reference.process.whole_files import write_whole
from reference.report.curves import Curves, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = 6.0  # wide: 600 pixels at 100 a inch
FORMATS = ("png", "svg")
MANY = 8  # runs: of more, each is thin and grey, and their median is drawn
WINDOW = 20  # steps that a smoothed loss is the mean of


def plot(curves: Sequence[Curves], out: Path) -> list[Path]:
    """Draw runs beside each other, and write the picture in each of FORMATS.

    Args:
        curves: Of one run or more.
        out: The picture's name, without its ending.

    Returns:
        The files.

    Raises:
        InputError: matplotlib is missing, or a file can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "plot: needs matplotlib: pip install '.[plot]' -c constraints.txt"
        ) from None
    scores = list(dict.fromkeys(name for each in curves for name in each.scores))
    figure = Figure(figsize=(INCHES, 6.6), layout="constrained")
    loss, score, norm, rate = figure.subplots(4, 1, height_ratios=[2, 1.4, 1.2, 1])
    _lines(loss, "loss", [each.loss for each in curves], curves, smooth=True)
    _lines(norm, "gradient norm", [each.norm for each in curves], curves)
    norm.set_yscale("log")
    _lines(rate, "learning rate", [each.rate for each in curves], curves)
    _scores(score, scores, curves)
    rate.set_xlabel("step")
    _validation(loss, curves)
    if len(curves) > 1 or any(each.validation for each in curves):
        loss.legend(frameon=False, fontsize="small")
    if any(each.synthetic for each in curves):
        figure.suptitle("on a synthetic corpus", fontsize="small")
    files = []
    for kind in FORMATS:
        content = io.BytesIO()
        figure.savefig(
            content, format=kind, dpi=100, metadata={"Date": None} if kind == "svg" else {}
        )
        path = out.with_name(f"{out.name}.{kind}")
        try:
            write_whole(path, content.getvalue())
        except OSError as error:
            raise InputError(f"{path}: can't be written ({error.strerror}); give --out") from None
        files.append(path)
    return files


def _lines(
    axes: "Axes",
    label: str,
    points: Sequence[Points],
    curves: Sequence[Curves],
    smooth: bool = False,
) -> None:
    many = len(curves) > MANY
    names = [run.name for run in curves] if len(curves) > 1 else ["training"]
    for place, (each, name) in enumerate(zip(points, names, strict=True)):
        style = {"color": "0.8", "linewidth": 0.5} if many else {"linewidth": _width(place, curves)}
        steps, values = list(each), list(each.values())
        if not smooth or many or len(values) <= 2 * WINDOW:
            axes.plot(steps, values, label=None if many else name, **style)
            continue
        (faint,) = axes.plot(steps, values, linewidth=0.6, alpha=0.35)
        color = faint.get_color()
        axes.plot(steps[WINDOW - 1 :], _means(values), label=name, color=color, **style)
    if many:
        shared = sorted(set.intersection(*(set(each) for each in points)))
        medians = [statistics.median(each[step] for each in points) for step in shared]
        axes.plot(shared, medians, color="C0", linewidth=1, label=f"median of {len(curves)}")
    axes.set_ylabel(label)


def _validation(axes: "Axes", curves: Sequence[Curves]) -> None:
    """The loss of each evaluation, a marker in its run's colour; a broken line joins them."""
    named = False
    for place, run in enumerate(curves):
        if run.validation:
            axes.plot(
                list(run.validation),
                list(run.validation.values()),
                marker="o",
                markersize=4,
                linestyle="--",
                linewidth=_width(place, curves),
                color=_color(place, curves),
                markeredgecolor="black",
                markeredgewidth=0.6,
                label=None if named else "validation",
                zorder=3,
            )
            named = True


def _width(place: int, curves: Sequence[Curves]) -> float:
    """The last one's line is the thinnest: of runs that are the same none hides another."""
    return 1.2 + 2.4 * (len(curves) - 1 - place) / len(curves)


def _color(place: int, curves: Sequence[Curves]) -> str:
    return "0.8" if len(curves) > MANY else f"C{place % 10}"


def _scores(axes: "Axes", names: Sequence[str], curves: Sequence[Curves]) -> None:
    """Each score a marker, at the step of its evaluation; a line where there are several."""
    for number, name in enumerate(names):
        for place, run in enumerate(curves):
            points = run.scores.get(name, {})
            axes.plot(
                list(points),
                list(points.values()),
                marker="os^Dv"[number % 5],
                markersize=4,
                linewidth=_width(place, curves),
                color=_color(place, curves),
                label=name if place == 0 else None,
            )
    axes.set_ylabel("evaluation")
    if names:
        axes.legend(frameon=False, fontsize="small")
    else:
        axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center")
    axes.set_xlim(*_steps(curves))


def _steps(curves: Sequence[Curves]) -> tuple[float, float]:
    last = max(max(each.rate or each.norm or each.loss) for each in curves)
    return -0.05 * last + 1, 1.05 * last


def _means(values: Sequence[float]) -> list[float]:
    """Of each WINDOW values in a row."""
    return [
        sum(values[start : start + WINDOW]) / WINDOW for start in range(len(values) - WINDOW + 1)
    ]
