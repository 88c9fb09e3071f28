"""The command that draws runs: what it takes, and what it calls, imported then.

python -m reference plot --help
"""

from pathlib import Path

import click

from reference.cli.help_page import Option
from reference.cli.program import FILE, command
from reference.errors import InputError


@command(
    click.Argument(["runs"], type=FILE, nargs=-1, metavar="RUN..."),
    Option(
        ["--out"],
        type=FILE,
        section="options",
        help="the picture's name, without its ending [default: curves, in the first run's folder]",
    ),
    text="loss, scores, gradient norm and learning rate of runs, as PNG and SVG",
)
def plot_command(_ctx: click.Context, runs: tuple[Path, ...], out: Path | None) -> int:
    """RUN is a run's folder, a comparison's, or the ledger of any training. Several are drawn
    beside each other; of more than eight also their median."""
    if not runs:
        raise InputError("plot: no RUN; give a run's folder or its ledger")
    from reference.report.curves import read_curves
    from reference.report.plot import plot

    curves = [each for run in runs for each in read_curves(run)]
    place = runs[0] if runs[0].is_dir() else runs[0].parent
    for path in plot(curves, out or place / "curves"):
        print(path)
    return 0
