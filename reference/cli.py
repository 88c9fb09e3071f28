"""The command line: `python -m reference --help`.

Exit codes: 0 done, and identical where something was compared; 1 diverged; 2 wrong input;
3 training failed; 129, 130 and 143 stopped by a closed terminal, Ctrl-C and SIGTERM.
"""

import argparse
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from reference.errors import InputError, RunError, TrainingFailed
from reference.loops import LOOPS
from reference.recipe import FIELDS, RECIPES, Recipe, load_recipe, nearest, parse_field
from reference.run_dir import check_run_dir, default_run_dir
from reference.stopping import Stopped, signals_raise, stop_at_end_of_input

CHECKPOINTS = ("embedded", "minilm")  # by name; any other is a folder or a hub name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line in place of argparse's usage and line."""
        raise InputError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors are one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if _word(arguments) == "observe":
        return _observe(arguments)
    debug = "--debug" in arguments
    # Set before any library is imported, which is when they look.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        with signals_raise():
            return _run(arguments)
    except KeyboardInterrupt as stopped:
        return _fail(stopped, "stopped by Ctrl-C", 130)
    except Stopped as stopped:
        return _fail(stopped, str(stopped), stopped.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(error, *_line(error))


def _line(error: Exception) -> tuple[str, int]:
    """An error's line and exit code. Never 1, which is for runs that diverged."""
    if isinstance(error, RunError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}", TrainingFailed.exit_code
    words = f"unexpected {type(error).__name__}: {error}; see where with --debug"
    return words, TrainingFailed.exit_code


def _fail(error: BaseException, message: str, code: int) -> int:
    """Say it in a line of its own: a loop's progress bar closes when its frame lets go of it."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__
    gc.collect()  # the Trainer's bar hangs in a circle
    with suppress(OSError):  # a closed terminal takes no more words
        print(f"reference: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _word(arguments: list[str]) -> str | None:
    """The command, where one is given."""
    return next((a for a in arguments if not a.startswith("-")), None)


def _run(arguments: list[str]) -> int:
    commands = {"compare": _compare, "train": _train, "data": _data, "diff": _diff, "env": _env}
    word = _word(arguments)
    if word is not None and word not in commands:
        raise nearest("command", word, [*commands, "observe"])
    options, unknown = _make_parser().parse_known_args(arguments)
    if unknown:
        _refuse(unknown[0], options.command)
    return commands[options.command](options)


def _refuse(word: str, command: str) -> NoReturn:
    known = ["--debug"]
    if command not in ("env", "observe"):
        known += ["--recipe", *(_option(name) for name in FIELDS if name != "name")]
    if command in ("compare", "train", "observe"):
        known += ["--run-dir"]
    if command == "compare":
        known += ["--jobs"]
    if word.startswith("--"):
        raise nearest(f"option of {command}", word.split("=")[0], known)
    raise InputError(f"unexpected argument {word!r}; see python -m reference {command} --help")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m reference",
        description="One fine-tuning run, written three ways, and proof that they are the same.",
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compare = _command(commands, "compare", "the main job: three loops, one verdict")
    compare.add_argument("--jobs", type=int, help="loops that run at once (default: by device)")
    train = _command(commands, "train", "one loop")
    train.add_argument("loop", metavar="LOOP", help=", ".join(LOOPS))
    # `compare` starts its loops with it, and holds the other end of their input.
    train.add_argument("--stop-at-end-of-input", action="store_true", help=argparse.SUPPRESS)
    observe = commands.add_parser(
        "observe", help="the ledger of any training script, unchanged", allow_abbrev=False
    )
    observe.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    observe.add_argument("--run-dir", type=Path, help="a new folder (default: under runs/)")
    observe.add_argument("-m", metavar="MODULE", help="a module in place of SCRIPT")
    observe.add_argument("script", metavar="SCRIPT [ARGS]", nargs="?", help="as python takes it")
    diff = commands.add_parser(
        "diff", help="the first divergence between two ledgers", allow_abbrev=False
    )
    diff.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    for name in ("a", "b"):
        diff.add_argument(name, metavar=name.upper(), type=Path, help="a ledger, or a run's folder")
    _command(commands, "data", "one batch of the shared pipeline, as the lesson looks at it")
    env = commands.add_parser(
        "env", help="versions, device, threads, and what can be reached", allow_abbrev=False
    )
    env.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    return parser


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command that takes a recipe: one option for each of its fields."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    parser.add_argument(
        "--recipe", default="embedded", help=f"{', '.join(RECIPES)}, or a run's recipe.json"
    )
    if name != "data":
        parser.add_argument("--run-dir", type=Path, help="a new folder (default: under runs/)")
    for field in FIELDS.values():
        if field.name != "name":
            choices = field.metadata.get("choices")
            default = getattr(RECIPES["embedded"], field.name)
            parser.add_argument(
                _option(field.name),
                metavar="|".join(choices) if choices else field.name.upper(),
                default=argparse.SUPPRESS,
                help=f"default of the embedded recipe: {default}",
            )
    return parser


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe asked for, with what can be checked of it before the slow imports."""
    from reference.data.hub import check_hub
    from reference.environment import check_environment
    from reference.tasks import get_task

    given = {n: parse_field(n, v) for n, v in vars(options).items() if n in FIELDS}
    recipe = load_recipe(options.recipe, given)
    check_environment(recipe)
    get_task(recipe.task)
    if recipe.data not in ("embedded", "hub") and not Path(recipe.data).is_dir():
        raise InputError(
            f"{recipe.data}: no such folder; --data takes embedded, hub, or a folder with GLUE's "
            "files"
        )
    if recipe.data == "hub":
        check_hub()
    elif recipe.checkpoint not in CHECKPOINTS and not Path(recipe.checkpoint).exists():
        try:
            check_hub()
        except InputError as error:
            unknown = nearest("checkpoint", recipe.checkpoint, CHECKPOINTS)
            raise InputError(f"{unknown}, or a folder; and, were it a hub name, {error}") from None
    return recipe


def _run_dir(options: argparse.Namespace, what: str) -> Path:
    """The run's folder, seen to be free before the slow imports."""
    path: Path = options.run_dir or default_run_dir(what)
    check_run_dir(path)
    return path


def _compare(options: argparse.Namespace) -> int:
    from reference.children import default_jobs
    from reference.compare import compare
    from reference.verdicts import exit_code

    recipe = _recipe(options)
    jobs = default_jobs(recipe) if options.jobs is None else options.jobs
    if jobs < 1:
        raise InputError(f"--jobs: {jobs} makes no sense; give 1 and up")
    run_dir = _run_dir(options, "compare")
    verdict = compare(recipe, run_dir, jobs, debug=options.debug)
    print(f"run: {run_dir}")
    return exit_code(verdict)


def _train(options: argparse.Namespace) -> int:
    if options.stop_at_end_of_input:
        stop_at_end_of_input()
    if options.loop not in LOOPS:
        raise nearest("loop", options.loop, LOOPS)
    recipe = _recipe(options)
    run_dir = _run_dir(options, options.loop)
    if recipe.device != "cpu":
        # The Trainer would spread over every GPU that it sees, which is another run.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]
    from reference.compare import summary
    from reference.run import run

    metrics = run(recipe, options.loop, run_dir)
    print(summary(metrics))
    print(f"run: {run_dir}")
    return 0


def _data(options: argparse.Namespace) -> int:
    recipe = _recipe(options)
    from reference.look import show_batch

    show_batch(recipe)
    return 0


def _env(_options: argparse.Namespace) -> int:
    from reference.look import show_environment

    show_environment()
    return 0


def _diff(options: argparse.Namespace) -> int:
    from reference.ledger.diff import diff
    from reference.ledger.record import LEDGER_FILE
    from reference.verdicts import exit_code, lines

    files = [p / LEDGER_FILE if p.is_dir() else p for p in (options.a, options.b)]
    verdict = diff(*files)
    for line in lines(f"{options.a} and {options.b}", verdict):
        print(line)
    return exit_code(verdict)


def _observe(arguments: list[str]) -> int:
    """Apart from the others: a script gets neither our environment nor our handling of signals.

    What follows SCRIPT or -m isn't ours to read.
    """
    at = arguments.index("observe") + 1
    while arguments[at : at + 1] and arguments[at].startswith("-") and arguments[at] != "-m":
        at += 2 if arguments[at] == "--run-dir" else 1
    debug = "--debug" in arguments[:at]
    try:
        options, unknown = _make_parser().parse_known_args(arguments[:at])
        if unknown:
            _refuse(unknown[0], options.command)
        from reference.program import observe

        return observe(arguments[at:], options.run_dir)
    except RunError as error:
        if debug:
            raise
        return _fail(error, *_line(error))
