"""How `--help` looks: options in sections, fit for a narrow terminal, in colour where that is read.

Click has neither sections nor `NO_COLOR`. Typer, which has both, sets its help in tables that leave
17 of 60 columns to the text, and loads pydantic for each command: half a second for one page.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from reference.errors import InputError
from reference.messages import nearest, reads_colour

OTHER = "other options"  # the section of whoever names none, at the end
DEBUG = "show a traceback with an error"
WIDEST = 100  # columns; a longer line is hard to read


class HelpFormatter(click.HelpFormatter):
    """Bold headings, and a third of the width for the options' names."""

    def write_heading(self, heading: str) -> None:
        """A section's heading, with a capital letter."""
        super().write_heading(click.style(heading[:1].upper() + heading[1:], bold=True))

    def write_dl(self, rows: Any, col_max: int = 0, col_spacing: int = 2) -> None:
        """Names and what they mean; a name that is longer than a third has a line of its own."""
        coloured = [(click.style(name, fg="cyan"), text) for name, text in rows]
        super().write_dl(coloured, col_max or self.width // 3, col_spacing)


class Context(click.Context):
    """A command being run, with help as above."""

    formatter_class = HelpFormatter

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_content_width": WIDEST} | kwargs)
        self.color = reads_colour(sys.stdout)


class Option(click.Option):
    """An option with a section of the help."""

    def __init__(self, names: Sequence[str], *, section: str = OTHER, **rest: Any) -> None:
        super().__init__(names, **rest)
        self.section = section


class Command(click.Command):
    """A command whose options are printed by section, in the order in which they are given."""

    context_class = Context

    def __init__(self, name: str | None, *, params: list[click.Parameter], **rest: Any) -> None:
        debug = Option(["--debug"], is_flag=True, expose_value=False, help=DEBUG)
        settings = {"help_option_names": ["-h", "--help"], "allow_extra_args": True}
        super().__init__(name, params=[*params, debug], context_settings=settings, **rest)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; InputError for one that is too many."""
        with _naming(ctx):
            rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise InputError(f"unexpected argument {ctx.args[0]!r}; see {ctx.command_path} --help")
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, by section."""
        write_sections(self, ctx, formatter)


class Group(click.Group):
    """The commands, in the order in which they are given."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words before the command."""
        with _naming(ctx):
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as the help lists them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of that name; InputError with the nearest one where there is none."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise nearest("command", args[0], self.commands)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, by section."""
        self.format_commands(ctx, formatter)
        write_sections(self, ctx, formatter)


@contextmanager
def _naming(ctx: click.Context) -> Iterator[None]:
    """Within it, an error names the command that it is of: click leaves it out of some."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


def write_sections(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write a command's options, each section with its heading, those without a name last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            section = parameter.section if isinstance(parameter, Option) else OTHER
            sections.setdefault(section, []).append(record)
    for section in sorted(sections, key=lambda name: name == OTHER):
        with formatter.section(section):
            formatter.write_dl(sections[section])
