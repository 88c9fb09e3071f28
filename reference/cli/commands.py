"""The commands: what each takes, and what it calls. What trains is imported when it is called.

python -m reference --help
"""

import sys
from pathlib import Path
from typing import Any

import click

from reference.cli.help_page import Option
from reference.cli.program import (
    FILE,
    command,
    inside_option,
    jobs_option,
    json_option,
    run_dir_option,
    until_option,
)
from reference.cli.recipe_options import (
    Completed,
    get_recipe,
    given_fields,
    is_given,
    recipe_options,
)
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledger
from reference.lesson.loops import LOOPS
from reference.messages import coloured, nearest
from reference.process import signals
from reference.process.run_folder import check_run_dir, default_run_dir
from reference.run.environment_variables import see_one_gpu


@command(
    run_dir_option(),
    jobs_option("loops that run", "by device and cores"),
    *recipe_options(),
    text="the main job: three loops, one verdict",
)
def compare_command(ctx: click.Context, run_dir: Path | None, jobs: int | None, **_: Any) -> int:
    """Trains {loops} by one recipe, each in a process of its own, and compares every link of every
    step, bit for bit."""
    from reference.compare.three_loops import compare
    from reference.diff.verdict_text import exit_code

    recipe = get_recipe(ctx)
    folder = _free_folder(run_dir, "compare")
    verdict = compare(recipe, folder, jobs, debug=ctx.obj)
    print(f"run: {folder}")
    return exit_code(verdict)


@command(
    click.Argument(["loop"], type=Completed(*LOOPS)),
    run_dir_option(),
    # `compare` starts its loops with it, and holds the other end of their input.
    Option(["--stop-at-end-of-input"], is_flag=True, hidden=True),
    inside_option(),
    until_option(),
    *recipe_options(),
    text="one loop, into a folder with its ledger and scores",
)
def train_command(
    ctx: click.Context,
    loop: str,
    run_dir: Path | None,
    stop_at_end_of_input: bool,
    inside: frozenset[int],
    until: int | None,
    **_: Any,
) -> int:
    """LOOP is one of {loops}. Under `accelerate launch` and torchrun too, as one
    process."""
    if stop_at_end_of_input:
        signals.stop_at_end_of_input()
    if loop not in LOOPS:
        raise nearest("loop", loop, LOOPS)
    recipe = get_recipe(ctx)
    folder = _free_folder(run_dir, loop)
    if recipe.device != "cpu":
        see_one_gpu()
    from reference.compare.three_loops import summary
    from reference.observe.recording import EndedAsAsked
    from reference.run.one_run import run

    try:
        print(summary(run(recipe, loop, folder, inside=inside, until=until)))
    except EndedAsAsked:
        print(f"ended after step {until}, as --until asks")
    print(f"run: {folder}")
    return 0


@command(
    click.Argument(["program"], metavar="SCRIPT|-m MODULE [ARGS]...", nargs=-1),
    run_dir_option(),
    inside_option(),
    until_option(),
    text="the ledger of any training script, unchanged",
)
def observe_command(ctx: click.Context, program: tuple[str, ...], **_: Any) -> int:
    """Runs SCRIPT, or MODULE, as python does; what follows it is the script's own. Under
    `accelerate launch` and torchrun too. Ends with the script's exit code, or with 2 where no
    optimizer step was seen."""
    raise NotImplementedError  # `main` calls it, outside click: a script's callers are its own


@command(
    click.Argument(["a"], type=FILE),
    click.Argument(["b"], type=FILE),
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
    text="the first divergence between two ledgers",
)
def diff_command(
    ctx: click.Context,
    a: Path,
    b: Path,
    envelope: tuple[Path, Path] | None,
    offset: int | None,
    inside: bool,
    as_json: bool,
) -> int:
    """A and B are ledgers, or runs' folders. Says the step and the link at which they part, both
    values, and how the two go on."""
    from reference.diff.ledgers import diff
    from reference.diff.tolerance import diff_within_ranks
    from reference.diff.verdict_text import exit_code, json_line, lines

    if envelope is not None and offset is not None:
        raise InputError("--offset: not together with --envelope; give one of them")
    if inside and (envelope is not None or offset is not None):
        raise InputError("--inside: not together with --envelope or --offset; give it alone")
    if inside:
        from reference.rerun.run_again import diff_inside

        verdict = diff_inside(a, b)
    elif envelope is not None:
        verdict = diff_within_ranks(a, b, *envelope)
    else:
        verdict = diff(a, b, offset=offset)
    if as_json:
        print(json_line(str(a), str(b), verdict))
        return exit_code(verdict)
    for line in lines(f"{a} and {b}", verdict):
        print(coloured(line, sys.stdout))
    return exit_code(verdict)


@command(
    click.Argument(["ledger"], type=FILE),
    json_option("the explanation"),
    *recipe_options(),
    text="the deviations that turn the recipe into that ledger, proven",
)
def explain_command(ctx: click.Context, ledger: Path, as_json: bool, **_: Any) -> int:
    """LEDGER is a ledger, or a run's folder. Trains the manual loop with one known deviation after
    another until the ledger comes out, bit for bit. The recipe says what the run was meant to
    be."""
    from reference.explain.command import explain_ledger

    recipe = get_recipe(ctx)
    own_length = not given_fields(ctx).keys() & {"max_steps", "num_train_epochs"}
    path = find_ledger(ledger)
    return explain_ledger(path, recipe, own_length=own_length, as_json=as_json)


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
        help="the matrix of these alone, as NAMEs give it; needs --out",
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

        write_matrix(recipe, [*only, *names] or None, out, work, at_once)
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


def _free_folder(run_dir: Path | None, what: str) -> Path:
    """The run's folder, seen to be free before the slow imports."""
    path = run_dir or default_run_dir(what)
    check_run_dir(path)
    return path
