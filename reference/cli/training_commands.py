"""The commands that start a training: what each takes, and what it calls, imported then.

python -m reference compare --help
"""

import sys
from pathlib import Path
from typing import Any

import click

from reference.cli.checkpoint_options import checkpoint_options, resumed_folder, saving_of
from reference.cli.help_page import Option
from reference.cli.program import (
    command,
    inside_option,
    jobs_option,
    run_dir_option,
    until_option,
)
from reference.cli.recipe_options import (
    Completed,
    get_recipe,
    recipe_options,
)
from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.messages import coloured, nearest
from reference.observe.script.launcher import launched
from reference.observe.script.shared_folder import folder_of
from reference.process import signals
from reference.process.run_folder import MODEL_FOLDER, check_run_dir, default_run_dir
from reference.process.whole_files import write_whole
from reference.run.environment_variables import see_one_gpu
from reference.run.inputs import check_processes
from reference.run.meeting import take_place
from reference.run.saving import check_saving


@command(
    run_dir_option(),
    jobs_option("loops that run", "by device and cores"),
    Option(
        ["--save"],
        is_flag=True,
        section="options",
        help="keep the trained model, of the first loop, in the run's folder",
    ),
    *recipe_options(),
    text="the main job: three loops, one verdict",
)
def compare_command(
    ctx: click.Context, run_dir: Path | None, jobs: int | None, save: bool, **_: Any
) -> int:
    """Trains {loops} by one recipe, each in a process of its own, and compares every link of every
    step, bit for bit."""
    from reference.compare.three_loops import compare
    from reference.diff.verdict_text import exit_code

    recipe = get_recipe(ctx)
    folder = _free_folder(run_dir, "compare")
    verdict = compare(recipe, folder, jobs, debug=ctx.obj, save=save)
    print(f"run: {folder}")
    if save:
        print(f"model: {folder / MODEL_FOLDER}")
    return exit_code(verdict)


@command(
    click.Argument(["loop"], type=Completed(*LOOPS)),
    run_dir_option(),
    # `compare` starts its loops with it, and holds the other end of their input.
    Option(["--stop-at-end-of-input"], is_flag=True, hidden=True),
    # `launch` reads there which folder it has become: rank 0 names it, on another machine maybe.
    Option(["--tell-run-dir"], type=click.Path(path_type=Path), hidden=True),
    Option(
        ["--save/--no-save"],
        default=True,
        section="options",
        help="keep the trained model in the run's folder, as Transformers loads it [default: "
        "--save: a training is for its model]",
    ),
    Option(
        ["--push-to-hub"],
        metavar="NAME",
        section="options",
        help="push the trained model to the hub, into the repository NAME",
    ),
    inside_option(),
    until_option(),
    *checkpoint_options(),
    *recipe_options(),
    text="one loop, into a folder with its ledger and scores",
)
def train_command(
    ctx: click.Context,
    loop: str,
    run_dir: Path | None,
    stop_at_end_of_input: bool,
    tell_run_dir: Path | None,
    save: bool,
    push_to_hub: str | None,
    inside: frozenset[int],
    until: int | None,
    checkpoint_every: int | None,
    keep: int | None,
    resume: str | None,
    **_: Any,
) -> int:
    """LOOP is one of {loops}. Under `accelerate launch` and torchrun too; in several
    processes each takes its share of the recipe's batch."""
    if stop_at_end_of_input:
        signals.stop_at_end_of_input()
    if loop not in LOOPS:
        raise nearest("loop", loop, LOOPS)
    launch = launched()
    take_place(launch)
    recipe = get_recipe(ctx)
    check_processes(recipe, loop, launch.world_size)
    # The others' folder is rank 0's, which may have made it by now.
    own = None if run_dir is None else folder_of(run_dir, loop, launch)  # of torchrun's restart
    saving = saving_of(checkpoint_every, keep, resume)
    if saving is not None:
        check_saving(saving, loop, launch.world_size)
    if resume is not None:
        folder = resumed_folder(own, resume)
    else:
        folder = _free_folder(own, loop) if launch.rank == 0 else Path()
    if push_to_hub is not None:
        from reference.keep.hub import check_push

        if not save:
            raise InputError("--push-to-hub: not together with --no-save; leave one of them out")
        check_push(push_to_hub)
    if recipe.device != "cpu" and launch.world_size == 1:
        see_one_gpu()
    from reference.compare.three_loops import summary
    from reference.observe.recording import EndedAsAsked
    from reference.run.one_run import run
    from reference.run.table import data_lines

    taken: list[Path] = []

    def take(path: Path) -> None:
        taken.append(path)
        if tell_run_dir is not None:
            write_whole(tell_run_dir, str(path))

    metrics = None
    try:
        metrics = run(
            recipe, loop, folder, inside=inside, until=until, take=take, save=save, saving=saving
        )
        said = "\n".join([summary(metrics), *data_lines(recipe)])
        kept = f"\nmodel: {taken[0] / MODEL_FOLDER}" if save else ""
    except EndedAsAsked:
        said, kept = f"ended after step {until}, as --until asks", ""
    if launch.rank == 0:
        print(said)
        if metrics is not None:
            _say_of_scores(taken[0], metrics["scores"])
    if launch.is_first_of_host:
        print(f"run: {taken[0]}{kept if launch.rank == 0 else ''}")
    if launch.rank == 0 and push_to_hub is not None and kept:
        from reference.keep.hub import push

        print(f"pushed: {push(taken[0], push_to_hub)}")
    return 0


@command(
    click.Argument(["words"], metavar="CONFIG train LOOP|compare [OPTIONS]...", nargs=-1),
    Option(
        ["--list", "listing"],
        is_flag=True,
        section="options",
        help="the configurations that come with this, and what is in them",
    ),
    Option(["--num-processes"], type=int, section="options", help="in place of CONFIG's, in all"),
    Option(
        ["--machine-rank"],
        type=int,
        section="options",
        help="which of several machines this is, from 0; start the same command on each",
    ),
    Option(["--main-process-ip"], section="options", help="machine 0's address"),
    Option(
        ["--main-process-port"],
        type=int,
        section="options",
        help="a free port of machine 0 [default: any, on one machine]",
    ),
    text="one loop in several processes, or on several machines",
    options_first=True,  # what follows CONFIG is `train`'s
)
def launch_command(
    ctx: click.Context, words: tuple[str, ...], listing: bool, **instead: Any
) -> int:
    """CONFIG is a name of --list, or a file of `accelerate config`. Its options stand before it;
    what follows is as `train` takes it. `compare` compares the two loops that train on several
    processes, and has the full batch on one process judge their gradients."""
    from reference.cli.launching import launch_compare, launch_train, show_configurations

    if listing:
        show_configurations()
        return 0
    if words[1:2] == ("compare",):
        from reference.diff.verdict_text import exit_code

        folder, verdict = launch_compare(ctx, words, instead)
        print(f"run: {folder}")
        return exit_code(verdict)
    folder, metrics = launch_train(ctx, words, instead)
    if metrics is not None:
        from reference.compare.three_loops import summary

        print(summary(metrics))
    print(f"run: {folder}")
    if (folder / MODEL_FOLDER).is_dir():
        print(f"model: {folder / MODEL_FOLDER}")
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
    `accelerate launch`, torchrun, mpirun and srun too. Ends with the script's exit code; as the
    only process, with 2 where no optimizer step was seen."""
    raise NotImplementedError  # `main` calls it, outside click: a script's callers are its own


def _say_of_scores(run_dir: Path, scores: dict[str, float]) -> None:
    """A line on the scores of a run, where seeds of its recipe are stored."""
    from reference.ledger.reader import read_header
    from reference.seeds.judge import judged

    line = judged(read_header(run_dir / LEDGER_FILE), scores)
    if line is not None:
        print(coloured(line, sys.stdout))


def _free_folder(run_dir: Path | None, what: str) -> Path:
    """The run's folder, seen to be free before the slow imports."""
    path = run_dir or default_run_dir(what)
    check_run_dir(path)
    return path
