"""The program itself: what stands before a command, shell completion, and what commands share.

    finetuning-reference --show-completion bash >> ~/.bashrc

`training_commands.py` and `inspection_commands.py` add the commands to it.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from reference import __version__
from reference.cli.help_page import DEBUG, Command, Group, Option
from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.messages import brief
from reference.process.bounded_files import check_name

PROGRAM = "finetuning-reference"  # as it is installed, and as a shell completes it
COMPLETION = "_FINETUNING_REFERENCE_COMPLETE"  # the variable with which a shell asks
SHELLS = ("bash", "zsh", "fish")


class _Name(click.Path):
    """The name of a file or folder, be it there or not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        check_name(value)
        return super().convert(value, param, ctx)


FILE = _Name(path_type=Path)


def _show_completion(ctx: click.Context, _option: click.Parameter, shell: str | None) -> None:
    if shell is not None and not ctx.resilient_parsing:
        completion = get_completion_class(shell)
        assert completion is not None  # click has one for each of SHELLS
        click.echo(completion(program, {}, PROGRAM, COMPLETION).source())
        ctx.exit()


def _show_version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


program = Group(
    "reference",
    help="One fine-tuning run, written three ways (Trainer, PyTorch, Accelerate), and proof that "
    "the three are the same run. It is the run of Hugging Face's course, chapter 3, \"A full "
    'training": https://huggingface.co/learn/llm-course/chapter3/4',
    epilog="Exit codes: 0 done, and identical where something was compared; 1 diverged; 2 wrong "
    "input, or incomparable; 3 training failed; 4 no checkpoint to resume from; 129, 130 "
    "and 143 stopped by a closed terminal, Ctrl-C and SIGTERM.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        Option(["--debug"], is_flag=True, expose_value=False, help=DEBUG),
        Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_show_version,
            help="print the version",
        ),
        Option(
            ["--show-completion"],
            type=click.Choice(SHELLS),
            expose_value=False,
            is_eager=True,
            callback=_show_completion,
            help=f"print what makes the shell complete {PROGRAM}; for bash, append it to ~/.bashrc",
        ),
    ],
)


def command(
    *parameters: click.Parameter, text: str, options_first: bool = False
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add a command to the program; its help is `text`, and then the function's docstring.
    In that, `{loops}` stands for the loops' names.

    The function is called NAME_command. It gets click's context (with `obj`: whether a traceback
    is asked for) and the parameters' values, and returns the exit code. With `options_first` all
    words after the first argument are arguments, too.
    """

    def add(function: Callable[..., int]) -> Callable[..., int]:
        name = function.__name__.removesuffix("_command")
        more = inspect.cleandoc(function.__doc__ or "").replace("{loops}", ", ".join(LOOPS))
        added = Command(
            name,
            params=list(parameters),
            callback=click.pass_context(function),
            short_help=text,
            help=f"{text[:1].upper()}{text[1:]}.\n\n{more}",
        )
        added.allow_interspersed_args = not options_first
        program.add_command(added)
        return function

    return add


def run_dir_option() -> Option:
    """Where a run goes; `--output-dir` is the Trainer's name for it."""
    return Option(
        ["--run-dir", "--output-dir", "run_dir"],
        type=FILE,
        section="options",
        help="the run's folder, new or empty [default: a new one under runs/]",
    )


class _Steps(click.ParamType[Any]):
    """Numbers of steps, as 3 or 3,5."""

    name = "steps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):  # the default
            return frozenset(value)
        words = value.split(",")
        if not all(word.isascii() and word.isdigit() and int(word[:20]) > 0 for word in words):
            name = param.opts[0] if param is not None else "steps"
            raise InputError(f"{name}: {brief(value)} is no step; give numbers from 1, as 3 or 3,5")
        return frozenset(int(word[:20]) for word in words)


def inside_option() -> Option:
    """In which steps the inside of a model is recorded."""
    return Option(
        ["--inside"],
        type=_Steps(),
        default=(),
        metavar="STEP[,STEP]...",
        section="options",
        help="in these steps, from 1, keep the call of every module within the model, too",
    )


def until_option() -> Option:
    """The last step that is trained; for `diff --inside`, and whoever does the same by hand."""
    return Option(
        ["--until"],
        type=click.IntRange(min=1),
        metavar="STEP",
        section="options",
        help="end after this step, before the next forward pass",
    )


def json_option(what: str, page: str = "docs/diff-and-explain.md") -> Option:
    """One JSON object in place of the text; `page` has its fields."""
    return Option(
        ["--json", "as_json"],
        is_flag=True,
        section="options",
        help=f"{what} as one JSON object (its fields: {page})",
    )


def _at_least_one(_ctx: click.Context, option: click.Parameter, jobs: int | None) -> int | None:
    if jobs is not None and jobs < 1:
        raise InputError(f"{option.opts[0]}: {jobs} makes no sense; give 1 and up")
    return jobs


def jobs_option(what: str, default: str) -> Option:
    """How many processes at once."""
    return Option(
        ["--jobs"],
        type=int,
        metavar="INT",
        callback=_at_least_one,
        section="options",
        help=f"{what} at once [default: {default}]",
    )
