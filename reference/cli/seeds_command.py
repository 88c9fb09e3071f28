"""The command that trains many seeds, or compares two recipes by them: what it takes and calls.

python -m reference seeds --help
"""

import sys
from pathlib import Path
from typing import Any

import click

from reference.cli.help_page import Option
from reference.cli.program import FILE, command, jobs_option, json_option
from reference.cli.recipe_options import (
    Completed,
    get_recipe,
    given_fields,
    is_given,
    recipe_options,
)
from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.messages import coloured, json_object, nearest

ALONE = ("n", "loop", "run_dir", "jobs", "recipe")  # options of a training


@command(
    click.Argument(["folders"], type=FILE, metavar="[A] [B]", nargs=-1),
    Option(
        ["--n"],
        type=click.IntRange(min=2),
        default=10,
        metavar="INT",
        section="options",
        help="how many seeds: the recipe's, and those that follow it [default: 10]",
    ),
    Option(
        ["--loop"],
        type=Completed(*LOOPS),
        default="manual",
        metavar="|".join(LOOPS),
        section="options",
        help="which loop trains [default: manual]",
    ),
    Option(
        ["--run-dir", "--output-dir", "run_dir"],
        type=FILE,
        section="options",
        help="the folder of all: new, or with seeds by the same recipe [default: one under runs/, "
        "the same for the same recipe]",
    ),
    jobs_option("seeds", "one for each core, or one on a GPU"),
    Option(
        ["--margin"],
        type=float,
        default=0.01,
        metavar="FLOAT",
        section="options",
        help="of A and B: a difference too small to matter [default: 0.01, a percent point: "
        "another seed does more]",
    ),
    Option(
        ["--plot"],
        is_flag=True,
        section="options",
        help="also draw the scores by seed, into the first folder: seeds.png and seeds.svg",
    ),
    json_option("the scores", page="docs/seeds.md"),
    *recipe_options(),
    text="one recipe with many seeds, and how far its scores spread",
)
def seeds_command(
    ctx: click.Context,
    folders: tuple[Path, ...],
    n: int,
    loop: str,
    run_dir: Path | None,
    jobs: int | None,
    margin: float,
    plot: bool,
    as_json: bool,
    **_: Any,
) -> int:
    """Trains the seeds that aren't there yet: the same command goes on with what was stopped. With
    A, a folder of finished seeds, nothing is trained; with A and B two recipes are compared by
    paired seeds: equivalent (exit code 0), not equivalent, or not shown (1)."""
    if len(folders) > 2:
        raise InputError(f"seeds: {len(folders)} folders; give A, or A and B")
    if len(folders) < 2 and is_given(ctx, "margin"):
        raise InputError("--margin: is for two folders; give A and B, or leave it out")
    if folders:
        given = [*(name for name in ALONE if is_given(ctx, name)), *given_fields(ctx)]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise InputError(f"{option}: is for a training; leave it out, or the folder")
        from reference.seeds.folder import read_seeds

        scores = [read_seeds(folder) for folder in folders]
    else:
        if loop not in LOOPS:
            raise nearest("loop", loop, LOOPS)
        recipe = get_recipe(ctx)
        from reference.seeds.training import seeds

        scores = [seeds(recipe, n, run_dir, loop=loop, jobs=jobs, debug=ctx.obj)]
    from reference.seeds.text import lines_of, lines_of_pairs, pairs_as_json

    code = 0
    if len(scores) == 1:
        said, lines = scores[0].to_json(), [*lines_of(scores[0]), f"seeds: {scores[0].name}"]
    else:
        from reference.seeds.equivalence import EQUIVALENT, pair, verdict_of

        pairs = pair(scores[0], scores[1], margin)
        code = int(verdict_of(pairs) != EQUIVALENT)
        said = pairs_as_json(scores[0], scores[1], pairs)
        lines = list(lines_of_pairs(scores[0], scores[1], pairs))
    if plot:
        from reference.report.seeds_plot import plot_seeds

        lines += map(str, plot_seeds(scores, Path(scores[0].name) / "seeds"))
    for line in [json_object(said)] if as_json else lines:
        print(coloured(line, sys.stdout))
    return code
