"""`lockstep`: what it takes, and what it calls.

python -m reference lockstep --help
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from reference.cli.help_page import Option
from reference.cli.program import command, json_option, program
from reference.cli.recipe_options import get_recipe, given_fields, is_given, recipe_options
from reference.errors import InputError
from reference.lockstep.links import LINKS, links_of
from reference.messages import coloured

BETWEEN = "--"  # A's words and B's
PATIENCE = 60.0


@command(
    click.Argument(
        ["words"],
        metavar="[A.py [ARGS]...] -- B.py [ARGS]...",
        nargs=-1,
        type=click.UNPROCESSED,
    ),
    Option(
        ["--steps"],
        type=click.IntRange(min=1),
        metavar="INT",
        section="options",
        help="end both after so many steps [default: when they end]",
    ),
    Option(
        ["--python"],
        metavar="FILE",
        section="options",
        help="B's interpreter, of another environment with other versions [default: this one]",
    ),
    Option(
        ["--only"],
        metavar="LINK[,LINK]...",
        section="options",
        help=f"put A's in B's place in these links alone, of {', '.join(LINKS)}",
    ),
    Option(
        ["--but"],
        metavar="LINK[,LINK]...",
        section="options",
        help="put A's in B's place in all links but these",
    ),
    Option(
        ["--patience"],
        type=click.FloatRange(min=1),
        default=PATIENCE,
        metavar="SECONDS",
        section="options",
        help="without a word or any work, after which one of them counts as hung [default: 60]",
    ),
    json_option("the list"),
    *recipe_options(),
    text="every difference between two trainings, proven",
    options_first=True,
)
def lockstep_command(
    ctx: click.Context,
    words: tuple[str, ...],
    steps: int | None,
    python: str | None,
    only: str | None,
    but: str | None,
    patience: float,
    as_json: bool,
    **_: object,
) -> int:
    """Runs both scripts at once, step by step. Wherever a link of B is unequal to A's, it is
    written down, and A's is put in B's place; what is still unequal then is another difference. At
    the end: all of them, and the proof that there are no others. Without an A, it is the
    `Trainer` by the recipe. `-m MODULE` is taken for either."""
    a, b = split_words(words)
    if only and but:
        raise InputError("--only: not together with --but; give one of them")
    put = set(LINKS)
    if only:
        put = set(links_of(only, "--only"))
    if but:
        put -= links_of(but, "--but")
    from reference.lockstep.pair import run_pair
    from reference.lockstep.result import judge

    with tempfile.TemporaryDirectory(prefix="reference-lockstep-") as folder:
        a = a or _words_of_recipe(ctx, Path(folder))
        run = run_pair(
            a,
            b,
            put=put,
            steps=steps,
            pythons=(sys.executable, python or sys.executable),
            patience=patience,
            out=sys.stderr if as_json else None,
        )
    result = judge(run)
    if as_json:
        print(result.json())
    else:
        for line in result.lines():
            print(coloured(line, sys.stdout))
    if ctx.obj:
        for side in run.sides:
            print(side.traceback, end="", file=sys.stderr)
    return result.exit_code


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """A's words and B's; A's are none where it is to be the recipe's.

    Raises:
        InputError: where there is no B.
    """
    listed = list(words)
    if BETWEEN not in listed:
        raise InputError("lockstep: no second script; give A.py [ARGS] -- B.py [ARGS]")
    at = listed.index(BETWEEN)
    a, b = listed[:at], listed[at + 1 :]
    if not b:
        raise InputError("lockstep: no script after --; give A.py [ARGS] -- B.py [ARGS]")
    return a, b


def _words_of_recipe(ctx: click.Context, folder: Path) -> list[str]:
    """A as the lesson's Trainer by a recipe."""
    if not is_given(ctx, "recipe") and not given_fields(ctx):
        raise InputError("lockstep: no script before --; give A.py, or --recipe for the Trainer's")
    recipe = get_recipe(ctx)
    from reference.process.whole_files import write_json

    write_json(folder / "recipe.json", recipe.to_json())
    file, run_dir = str(folder / "recipe.json"), str(folder / "run")
    return ["-m", "reference", "train", "trainer", "--recipe", file, "--run-dir", run_dir]


def with_words_apart(words: Sequence[str]) -> list[str]:
    """The command line with a `--` before the first script's words, which aren't ours to read."""
    at = words.index("lockstep") + 1
    takes_value = {
        name
        for option in program.commands["lockstep"].params
        if isinstance(option, click.Option) and not option.is_flag
        for name in option.opts
    }
    while words[at : at + 1] and words[at].startswith("-") and words[at] not in ("-m", BETWEEN):
        at += 2 if words[at] in takes_value else 1
    return [*words[:at], BETWEEN, *words[at:]]
