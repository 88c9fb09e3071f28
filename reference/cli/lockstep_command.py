"""`lockstep`: what it takes, and what it calls.

python -m reference lockstep --help
"""

import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from reference.cli.help_page import Option
from reference.cli.program import command, json_option, program
from reference.cli.recipe_options import get_recipe, given_fields, is_given, recipe_options
from reference.errors import InputError, TrainingFailed
from reference.lesson.recipe import Recipe
from reference.lockstep.links import LINKS, PATIENCE, links_of
from reference.messages import coloured
from reference.process.whole_files import write_json
from reference.terminal import table

BETWEEN = "--"  # A's words and B's


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
        ["--effects", "with_effects"],
        is_flag=True,
        section="options",
        help="what each difference by itself moves the last loss, the weights and the scores by: "
        "one more run of both for each",
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
    json_option("the list", page="docs/lockstep.md"),
    Option(
        ["--python"],
        metavar="FILE",
        section="options",
        help="B's interpreter, of another environment with other versions [default: this one]",
    ),
    Option(
        ["--patience"],
        type=click.FloatRange(min=1),
        default=PATIENCE,
        metavar="SECONDS",
        section="options",
        help="without a word or any work, after which one of them counts as hung [default: 60]",
    ),
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
    with_effects: bool,
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
    for name, is_one in (("--json", as_json), ("--effects", with_effects)):
        if is_one and (only or but):
            other = "--only" if only else "--but"
            raise InputError(f"{other}: not together with {name}; it prints where one run ends")
    if python and shutil.which(python) is None:
        raise InputError(f"--python: {python} can't be run; give an environment's bin/python")
    put = set(LINKS)
    if only:
        put = set(links_of(only, "--only"))
    if but:
        put -= links_of(but, "--but")
    from reference.lockstep.effects import TOLD, effect_of, effects, rows
    from reference.lockstep.pair import PairRun, run_pair
    from reference.lockstep.result import failure_of, judge

    recipe = None if a else _recipe_of(ctx)

    def run_both(put: Collection[str], leave_out: Collection[str] = ()) -> PairRun:
        with tempfile.TemporaryDirectory(prefix="reference-lockstep-") as folder:
            return run_pair(
                a or _words_of_recipe(recipe, Path(folder)),
                b,
                put=put,
                leave_out=leave_out,
                steps=steps,
                pythons=(sys.executable, python or sys.executable),
                patience=patience,
                out=sys.stderr if as_json else None,
            )

    if only or but:
        put = {*put} - ({*LINKS} - {*TOLD} if but else set())
        run = run_both(put)
        left = ", ".join(link for link in TOLD if link not in put)
        failure = failure_of(run)
        if failure:
            raise TrainingFailed(f"couldn't be compared: {failure}")
        print(table(rows([effect_of(run, left, failure)])))
        return 0
    run = run_both(put)
    result = judge(run)
    is_wanted = with_effects and not result.failure
    found = effects(result.differences, run_both, failure_of, _tell) if is_wanted else []
    if as_json:
        print(result.json(found))
    else:
        for line in result.lines():
            print(coloured(line, sys.stdout))
        if found:
            print(table(rows(found)))
    if ctx.obj:
        for side in run.sides:
            print(side.traceback, end="", file=sys.stderr)
    return result.exit_code


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


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


def _recipe_of(ctx: click.Context) -> Recipe:
    """The recipe that A is to be the Trainer by."""
    if not is_given(ctx, "recipe") and not given_fields(ctx):
        raise InputError("lockstep: no script before --; give A.py, or --recipe for the Trainer's")
    return get_recipe(ctx)


def _words_of_recipe(recipe: Recipe | None, folder: Path) -> list[str]:
    """A as the lesson's Trainer by a recipe, in a folder of its own."""
    assert recipe is not None
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
