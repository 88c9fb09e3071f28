"""The picture of many seeds' scores: one by one, their mean with its interval, and their range.

python -m reference seeds runs/A --plot
"""

import io
from collections.abc import Sequence
from pathlib import Path

from reference.errors import InputError
from reference.process.whole_files import write_whole
from reference.report.plot import FORMATS, INCHES
from reference.seeds.seed_scores import SeedScores
from reference.seeds.statistics import CONFIDENCE

HEIGHT = 2.3  # inches of each score's part


def plot_seeds(recipes: Sequence[SeedScores], out: Path) -> list[Path]:
    """Draw each score of one recipe or two by seed, and write the picture in each of FORMATS.

    Args:
        recipes: The seeds of each.
        out: The picture's name, without its ending.

    Returns:
        The files.

    Raises:
        InputError: matplotlib is missing, or a file can't be written.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise InputError(
            "--plot: needs matplotlib: pip install '.[plot]' -c constraints.txt"
        ) from None
    names = recipes[0].score_names
    figure = Figure(figsize=(INCHES, 0.9 + HEIGHT * len(names)), layout="constrained")
    parts = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for axes, name in zip(parts, names, strict=True):
        for place, each in enumerate(recipes):
            color, marker = f"C{place}", "os"[place]
            of = f"{'AB'[place]}: " if len(recipes) > 1 else ""
            one = each.statistics()[name]
            axes.axhspan(one.lowest, one.highest, color=color, alpha=0.10, linewidth=0)
            axes.axhspan(*one.mean_interval, color=color, alpha=0.30, linewidth=0)
            axes.axhline(one.mean, color=color, linewidth=1, label=f"{of}mean {one.mean:.4f}")
            axes.plot(list(each.metrics), each.values(name), marker, markersize=4, color=color)
        axes.set_ylabel(name)
        axes.legend(frameon=False, fontsize="small", loc="best")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    parts[-1].set_xlabel(
        f"seed (dark: the mean's interval, {100 * CONFIDENCE:g} %; light: lowest to highest)"
    )
    if any(each.header["data"].get("synthetic") for each in recipes):
        figure.suptitle("on a synthetic corpus", fontsize="small")
    files = []
    for kind in FORMATS:
        content = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(content, format=kind, dpi=100, metadata=metadata)
        path = out.with_name(f"{out.name}.{kind}")
        try:
            write_whole(path, content.getvalue())
        except OSError as error:
            raise InputError(f"{path}: can't be written ({error.strerror})") from None
        files.append(path)
    return files
