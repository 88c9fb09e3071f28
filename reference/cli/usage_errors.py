"""What is wrong with a command's words, as one line with what to do about it."""

import click

from reference.errors import InputError
from reference.messages import near


def in_one_line(error: click.UsageError) -> InputError:
    """The error that the command line ends with, for one that click found in its words."""
    ctx = error.ctx
    assert ctx is not None  # `help_page.py` sees to it
    of = f" of {ctx.info_name}" if ctx.parent is not None else ""
    see = f"see {ctx.command_path} --help"
    match error:
        case click.NoSuchOption():
            known = [
                word
                for parameter in ctx.command.get_params(ctx)
                if not getattr(parameter, "hidden", False)
                for word in parameter.opts
                if word.startswith("-")
            ]
            word = error.option_name
            return InputError(f"unknown option{of} {word!r}{near(word, known)}; {see}")
        case click.BadOptionUsage():
            return InputError(f"{error.option_name}: {_how_many(ctx, error.option_name)}; {see}")
        case click.MissingParameter() if error.param is not None:
            return InputError(f"required: {error.param.make_metavar(ctx)}; {see}")
        case click.BadParameter() if error.param is not None:
            return InputError(f"{error.param.opts[0]}: {error.message.rstrip('.')}; {see}")
        case _ if isinstance(ctx.command, click.Group):
            commands = ", ".join(ctx.command.commands)
            return InputError(f"required: COMMAND, one of {commands}; {see}")
        case _:
            return InputError(f"{error.message}; {see}")


def _how_many(ctx: click.Context, word: str) -> str:
    """How many values the option takes that was given fewer, or, for a flag, more."""
    options = [p for p in ctx.command.get_params(ctx) if word in p.opts]
    if not options or getattr(options[0], "is_flag", False):
        return "takes no value"
    return "needs a value" if options[0].nargs == 1 else f"needs {options[0].nargs} values"
