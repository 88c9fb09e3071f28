"""The command line's words: one option for each of the recipe's fields, and what they come to.

    python -m reference compare --help

What is wrong with them is said before the slow imports, in one line, with the nearest right word.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import FIELDS, RECIPES, Recipe, load_recipe, nearest, parse_field
from reference.process.run_folder import check_run_dir, default_run_dir

CHECKPOINTS = ("embedded", "minilm")  # by name; any other is a folder or a hub name


TAKE_A_RECIPE = ("compare", "train", "explain", "deviations", "data")
HAVE_A_FOLDER = ("compare", "train", "observe")
OF_THE_MATRIX = ("--only", "--out", "--work", "--jobs")
OWN = {
    "compare": ["--jobs"],
    "diff": ["--envelope"],
    "deviations": ["--matrix", *OF_THE_MATRIX],
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line in place of argparse's usage and line."""
        raise InputError(message)


def parse(arguments: Sequence[str], commands: Iterable[str]) -> argparse.Namespace:
    """The command and its options; InputError for a word that isn't known."""
    commands = list(commands)
    word = command_of(arguments)
    if word is None and not {"-h", "--help"} & set(arguments):
        refused = next((a for a in arguments if a != "--debug"), None)
        if refused is not None:
            raise InputError(f"unexpected argument {refused!r} before the command")
        raise InputError(
            f"required: COMMAND, one of {', '.join(commands)}; see python -m reference --help"
        )
    if word is not None and word not in commands:
        raise nearest("command", word, commands)
    options, unknown = _make_parser().parse_known_args(arguments)
    if unknown:
        _refuse(unknown[0], options.command)
    return options


def command_of(arguments: Sequence[str]) -> str | None:
    """The command, where one is given."""
    return next((a for a in arguments if not a.startswith("-")), None)


def parse_observe(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """(our options, the program's words): what follows SCRIPT or -m isn't ours to read."""
    at = arguments.index("observe") + 1
    while arguments[at : at + 1] and arguments[at].startswith("-") and arguments[at] != "-m":
        at += 2 if arguments[at] == "--run-dir" else 1
    options, unknown = _make_parser().parse_known_args(arguments[:at])
    if unknown:
        _refuse(unknown[0], options.command)
    return options, arguments[at:]


def _refuse(word: str, command: str) -> NoReturn:
    known = ["--debug"]
    if command in TAKE_A_RECIPE:
        known += ["--recipe", *(_option(name) for name in FIELDS if name != "name")]
    if command in HAVE_A_FOLDER:
        known += ["--run-dir"]
    known += OWN.get(command, [])
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
    observe = _plain(commands, "observe", "the ledger of any training script, unchanged")
    observe.add_argument("--run-dir", type=Path, help="a new folder (default: under runs/)")
    observe.add_argument("-m", metavar="MODULE", help="a module in place of SCRIPT")
    observe.add_argument("script", metavar="SCRIPT [ARGS]", nargs="?", help="as python takes it")
    diff = _plain(commands, "diff", "the first divergence between two ledgers")
    for name in ("a", "b"):
        diff.add_argument(name, metavar=name.upper(), type=Path, help="a ledger, or a run's folder")
    diff.add_argument(
        "--envelope",
        nargs=2,
        metavar=("C", "D"),
        type=Path,
        help="two ledgers of the same run: numbers as far apart as theirs count as equal",
    )
    explain = _command(
        commands, "explain", "the deviations that turn the recipe into a ledger, proven"
    )
    explain.add_argument("ledger", metavar="LEDGER", type=Path, help="or a run's folder")
    deviations = _command(
        commands, "deviations", "the known deviations; or one, as a diff; or who sees them"
    )
    deviations.add_argument("deviation", metavar="NAME", nargs="?", help="one of them")
    deviations.add_argument(
        "--matrix", action="store_true", help="train each, and write who sees it (most of an hour)"
    )
    deviations.add_argument("--only", metavar="NAME", nargs="+", help="the matrix of these alone")
    deviations.add_argument("--out", type=Path, help="the page (default: docs/deviations.md)")
    deviations.add_argument(
        "--work", type=Path, help="where the matrix's runs are kept (default: runs/matrix)"
    )
    deviations.add_argument("--jobs", type=int, help="runs at once (default: 2)")
    _command(commands, "data", "one batch of the shared pipeline, as the lesson looks at it")
    _plain(commands, "env", "versions, device, threads, and what can be reached")
    return parser


def _plain(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command that takes no recipe."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    return parser


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command that takes a recipe: one option for each of its fields."""
    parser = _plain(commands, name, text)
    parser.add_argument(
        "--recipe", default="embedded", help=f"{', '.join(RECIPES)}, or a run's recipe.json"
    )
    if name in HAVE_A_FOLDER:
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


def get_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe asked for, with what can be checked of it before the slow imports."""
    from reference.lesson.data.hub import check_hub
    from reference.lesson.tasks import get_task
    from reference.run.environment_variables import check_environment

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


def get_run_dir(options: argparse.Namespace, what: str) -> Path:
    """The run's folder, seen to be free before the slow imports."""
    path: Path = options.run_dir or default_run_dir(what)
    check_run_dir(path)
    return path


def check_jobs(jobs: int | None, default: int) -> int:
    """How many runs at once; InputError for none."""
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs: {jobs} makes no sense; give 1 and up")
    return default if jobs is None else jobs


def refuse_matrix_options(options: argparse.Namespace) -> None:
    """InputError for an option of `deviations` that does nothing without --matrix."""
    fields = [_option(name) for name in FIELDS if hasattr(options, name)]
    own = [word for word in OF_THE_MATRIX if getattr(options, word[2:]) is not None]
    recipe = ["--recipe"] if options.recipe != "embedded" else []
    given = [*own, *recipe, *fields]
    if given:
        raise InputError(f"{given[0]}: is for the matrix; add --matrix, or leave it out")
