"""The commands that look at ledgers, and at what there is: what each takes, and what it calls.

python -m reference diff --help
"""

import sys
from pathlib import Path
from typing import Any

import click

from reference.cli.help_page import Option
from reference.cli.program import (
    FILE,
    command,
    jobs_option,
    json_option,
    run_dir_option,
)
from reference.cli.recipe_options import (
    get_recipe,
    given_fields,
    is_given,
    recipe_options,
)
from reference.errors import InputError
from reference.messages import coloured, folded


@command(
    click.Argument(["a"], type=FILE),
    click.Argument(["b"], type=FILE, required=False),
    Option(
        ["--envelope"],
        nargs=2,
        metavar="C D",
        type=FILE,
        section="options",
        help="two ledgers of the same run: numbers that are as far apart as theirs count as equal",
    ),
    Option(
        ["--offset"],
        type=int,
        metavar="N",
        section="options",
        help="B begins after step N of A (below 0: A after step -N of B); by default their first "
        "weights say whether one is the other resumed",
    ),
    Option(
        ["--inside"],
        is_flag=True,
        section="options",
        help="run both again, up to the step at which they part, and say which module of the model "
        "is the first that differs; only for ledgers that you trust",
    ),
    json_option("the verdict"),
    text="the first divergence between two ledgers, or between the ranks of one run",
)
def diff_command(
    ctx: click.Context,
    a: Path,
    b: Path | None,
    envelope: tuple[Path, Path] | None,
    offset: int | None,
    inside: bool,
    as_json: bool,
) -> int:
    """A and B are ledgers, or runs' folders. Says the step and the link at which they part, both
    values, and how the two go on. A alone is the folder of a run of several processes: its ranks
    are held against each other."""
    from reference.diff.ledgers import diff
    from reference.diff.ranks_of_one_run import diff_ranks_of
    from reference.diff.tolerance import diff_within_ranks
    from reference.diff.verdict_text import exit_code, json_line, lines

    if envelope is not None and offset is not None:
        raise InputError("--offset: not together with --envelope; give one of them")
    if inside and (envelope is not None or offset is not None):
        raise InputError("--inside: not together with --envelope or --offset; give it alone")
    names = f"A ({a}) and B ({b})"
    if b is None:
        if inside or envelope is not None or offset is not None:
            raise InputError("diff: no B; give the second run, or A without other options")
        names, verdict = f"the ranks of {a}", diff_ranks_of(a)
    elif inside:
        from reference.rerun.run_again import diff_inside

        verdict = diff_inside(a, b)
    elif envelope is not None:
        verdict = diff_within_ranks(a, b, *envelope)
    else:
        verdict = diff(a, b, offset=offset)
    if as_json:
        print(json_line(str(a), None if b is None else str(b), names, verdict))
        return exit_code(verdict)
    for line in lines(names, verdict):
        print(coloured(folded(line), sys.stdout))
    return exit_code(verdict)


@command(
    click.Argument(["words"], metavar="RUN|SCRIPT|-m MODULE [ARGS]...", nargs=-1),
    run_dir_option(),
    json_option("what was found", page="docs/check.md"),
    text="what is wrong with one training, with no second one to compare it with",
)
def check_command(
    ctx: click.Context, words: tuple[str, ...], run_dir: Path | None, as_json: bool
) -> int:
    """RUN is a run's folder, or a ledger; of several processes the folder. SCRIPT or MODULE is
    observed first, and what follows it is its own. Each finding has a level: wrong, likely, or
    look. Exit codes: 0 nothing is wrong or likely; 1 something is; 2 wrong input; 3 nothing was
    found, and the script failed."""
    from reference.check.command import check

    return check(words, run_dir, as_json=as_json)


@command(
    click.Argument(["ledger"], type=FILE),
    json_option("the explanation"),
    *recipe_options(),
    text="the deviations that turn the recipe into that ledger, proven",
)
def explain_command(ctx: click.Context, ledger: Path, as_json: bool, **_: Any) -> int:
    """LEDGER is a ledger, or a run's folder. Trains the manual loop with one known deviation after
    another until the ledger comes out, bit for bit; of a run of several processes the Accelerate
    loop, in as many. The recipe says what the run was meant to be."""
    from reference.explain.command import explain_ledger

    recipe = get_recipe(ctx)
    own_length = not given_fields(ctx).keys() & {"max_steps", "num_train_epochs"}
    return explain_ledger(ledger, recipe, own_length=own_length, as_json=as_json)


@command(
    click.Argument(["names"], metavar="[NAME]...", nargs=-1),
    Option(
        ["--matrix"],
        is_flag=True,
        section="options",
        help="train each of them, and write who sees it (most of an hour for all)",
    ),
    Option(
        ["--only"],
        metavar="NAME...",
        multiple=True,
        section="options",
        help="train these alone, as NAMEs do; their rows go into the page, the others stay",
    ),
    Option(["--out"], type=FILE, section="options", help="the page [default: docs/deviations.md]"),
    Option(
        ["--work"],
        type=FILE,
        section="options",
        help="where the matrix's runs are kept [default: runs/matrix]",
    ),
    jobs_option("the matrix's runs", "2"),
    *recipe_options(),
    text="the known deviations; or some, as diffs; or who sees them",
)
def deviations_command(
    ctx: click.Context,
    names: tuple[str, ...],
    matrix: bool,
    only: tuple[str, ...],
    out: Path | None,
    work: Path | None,
    jobs: int | None,
    **_: Any,
) -> int:
    """A deviation is one known way in which a hand-written loop differs from the recipe. With a
    NAME it is shown as a diff of the manual loop."""
    if matrix:
        recipe, at_once = get_recipe(ctx), jobs or 2
        from reference.deviation_matrix.page import write_matrix

        some = [name for given in (*only, *names) for name in given.split(",")]
        write_matrix(recipe, some or None, out, work, at_once)
        return 0
    for parameter in ctx.command.get_params(ctx):
        if parameter.name not in ("names", "matrix") and is_given(ctx, parameter.name or ""):
            raise InputError(
                f"{parameter.opts[0]}: is for the matrix; add --matrix, or leave it out"
            )
    from reference.deviations.listing import show_deviation, show_deviations

    for name in names:
        show_deviation(name)
    if not names:
        show_deviations()
    return 0


@command(
    *recipe_options(),
    text="one batch of the shared pipeline, as Hugging Face's course looks at it",
)
def data_command(ctx: click.Context, **_: Any) -> int:
    """Prints the splits, the shapes of a batch, its first row, and the loss before training."""
    recipe = get_recipe(ctx)
    from reference.cli.inspect import show_batch

    show_batch(recipe)
    return 0


@command(text="versions, device, threads, and what can be reached")
def env_command(ctx: click.Context) -> int:
    """Asks the hub, for two seconds at most; no checkpoint or data is downloaded."""
    from reference.cli.inspect import show_environment

    show_environment()
    return 0
