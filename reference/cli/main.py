"""The command line: `python -m reference --help`.

Exit codes: 0 done, and identical where something was compared; 1 diverged; 2 wrong input;
3 training failed; 129, 130 and 143 stopped by a closed terminal, Ctrl-C and SIGTERM.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from reference.cli.options import (
    check_jobs,
    command_of,
    get_recipe,
    get_run_dir,
    parse,
    parse_observe,
    refuse_matrix_options,
)
from reference.errors import InputError, RunError
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import nearest
from reference.process.exit_codes import ended, failed
from reference.process.signals import stop_at_end_of_input
from reference.run.environment_variables import see_one_gpu

SAYS = "reference: error: "


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors are one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if command_of(arguments) == "observe":
        return _observe(arguments)
    debug = "--debug" in arguments
    # Set before any library is imported, which is when they look.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return ended(lambda: _run(arguments), says=SAYS, errors=Exception, debug=debug)


def _run(arguments: list[str]) -> int:
    options = parse(arguments, (*COMMANDS, "observe"))
    return COMMANDS[options.command](options)


def _compare(options: argparse.Namespace) -> int:
    from reference.compare.three_loops import compare
    from reference.diff.verdict_text import exit_code
    from reference.run.worker_processes import default_jobs

    recipe = get_recipe(options)
    jobs = check_jobs(options.jobs, default_jobs(recipe))
    run_dir = get_run_dir(options, "compare")
    verdict = compare(recipe, run_dir, jobs, debug=options.debug)
    print(f"run: {run_dir}")
    return exit_code(verdict)


def _train(options: argparse.Namespace) -> int:
    if options.stop_at_end_of_input:
        stop_at_end_of_input()
    if options.loop not in LOOPS:
        raise nearest("loop", options.loop, LOOPS)
    recipe = get_recipe(options)
    run_dir = get_run_dir(options, options.loop)
    if recipe.device != "cpu":
        see_one_gpu()
    from reference.compare.three_loops import summary
    from reference.run.one_run import run

    metrics = run(recipe, options.loop, run_dir)
    print(summary(metrics))
    print(f"run: {run_dir}")
    return 0


def _data(options: argparse.Namespace) -> int:
    recipe = get_recipe(options)
    from reference.cli.inspect import show_batch

    show_batch(recipe)
    return 0


def _env(_options: argparse.Namespace) -> int:
    from reference.cli.inspect import show_environment

    show_environment()
    return 0


def _diff(options: argparse.Namespace) -> int:
    from reference.diff.ledgers import diff
    from reference.diff.tolerance import diff_within
    from reference.diff.verdict_text import exit_code, lines

    a, b = map(_ledger, (options.a, options.b))
    envelope = options.envelope and [_ledger(path) for path in options.envelope]
    verdict = diff_within(a, b, *envelope) if envelope else diff(a, b)
    for line in lines(f"{options.a} and {options.b}", verdict):
        print(line)
    return exit_code(verdict)


def _ledger(path: Path) -> Path:
    """A ledger's file, where its run's folder may be given. InputError for a folder of several."""
    from reference.ledger.record import LEDGER_FILE

    if not path.is_dir() or (path / LEDGER_FILE).exists():
        return path / LEDGER_FILE if path.is_dir() else path
    inner = sorted(found.parent for found in path.glob(f"*/{LEDGER_FILE}"))
    if not inner:
        return path / LEDGER_FILE
    names = ", ".join(folder.name for folder in inner)
    raise InputError(f"{path}: holds the ledgers of {names}; give one of them, as {inner[0]}")


def _explain(options: argparse.Namespace) -> int:
    recipe = get_recipe(options)
    from reference.explain.command import explain_ledger

    own_length = not (hasattr(options, "max_steps") or hasattr(options, "num_train_epochs"))
    return explain_ledger(_ledger(options.ledger), recipe, own_length=own_length)


def _deviations(options: argparse.Namespace) -> int:
    if options.matrix:
        return _matrix(options)
    refuse_matrix_options(options)
    from reference.deviations.listing import show_deviation, show_deviations

    if options.deviation is None:
        show_deviations()
    else:
        show_deviation(options.deviation)
    return 0


def _matrix(options: argparse.Namespace) -> int:
    recipe, jobs = get_recipe(options), check_jobs(options.jobs, 2)
    if options.deviation is not None:
        raise InputError(f"--matrix: is of all deviations; give --only {options.deviation} for one")
    from reference.deviation_matrix.page import write_matrix

    write_matrix(recipe, options.only, options.out, options.work, jobs)
    return 0


def _observe(arguments: list[str]) -> int:
    """Apart from the others: a script gets neither our environment nor our handling of signals."""
    debug = False
    try:
        options, program = parse_observe(arguments)
        debug = options.debug
        from reference.observe.script.run_script import observe

        return observe(program, options.run_dir)
    except RunError as error:
        return failed(error, SAYS, debug)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "compare": _compare,
    "train": _train,
    "data": _data,
    "diff": _diff,
    "explain": _explain,
    "deviations": _deviations,
    "env": _env,
}
