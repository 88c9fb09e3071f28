"""One command, from its words to its exit code.

Exit codes: 0 done, and identical where something was compared; 1 diverged; 2 wrong input;
3 training failed; 129, 130 and 143 stopped by a closed terminal, Ctrl-C and SIGTERM.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

# These add the commands to the program, in the order of its help.
from reference.cli import training_commands as training_commands

# isort: split
from reference.cli import prediction_command as prediction_command

# isort: split
from reference.cli import inspection_commands as inspection_commands

# isort: split
from reference.cli import lockstep_command as lockstep_command

# isort: split
from reference.cli import seeds_command as seeds_command

# isort: split
from reference.cli import plot_command as plot_command
from reference.cli.program import COMPLETION, PROGRAM, program
from reference.cli.usage_errors import in_one_line
from reference.errors import RunError
from reference.process.exit_codes import SAYS, ended, failed

# Options of `observe` that the next word belongs to.
VALUED = ("--run-dir", "--output-dir", "--inside", "--until")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after the program's name; those of this process by default.

    Returns:
        The exit code. An error was said in one line on stderr.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if COMPLETION in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, PROGRAM, COMPLETION, os.environ[COMPLETION])
    command = next((word for word in words if not word.startswith("-")), None)
    if command == "observe":
        return _observe(words)
    if command == "check":  # what follows a script is the script's own
        words = _with_script_apart(words)
    if command == "lockstep":
        words = lockstep_command.with_words_apart(words)
    # A script that one of these runs gets the environment as it is.
    if command not in ("check", "diff", "lockstep"):
        # Set before any library is imported, which is when they look.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    debug = "--debug" in words
    return ended(lambda: _run(words, debug), says=SAYS, errors=Exception, debug=debug)


def _run(words: list[str], debug: bool) -> int:
    # Not through click's own `main`, which makes errors of Ctrl-C and of a pipe that is closed.
    try:
        with program.make_context(_name(), words, obj=debug) as ctx:
            code: int = program.invoke(ctx)
            return code
    except click.exceptions.Exit as end:  # --help, --version
        return end.exit_code
    except click.UsageError as error:
        raise in_one_line(error) from None


def _observe(words: list[str]) -> int:
    """Apart from the others: a script gets neither our environment nor our handling of signals.

    Nor does it run within click: whoever called the script is what a traceback would show.
    """
    ours, script = _split(words, "observe")
    try:
        options = _own_options(ours, script)
        from reference.observe.script.run_script import observe

        return observe(script, hold_ranks=_hold_ranks, **options)
    except click.exceptions.Exit as end:
        return end.exit_code
    except RunError as error:
        return failed(error, SAYS, "--debug" in ours)


def _hold_ranks(folder: Path) -> str:
    """Where ranks part that should be equal, in a line; nothing may end the run that is over."""
    from reference.diff.ranks_of_one_run import said_after_the_run

    return said_after_the_run(folder)


def _with_script_apart(words: list[str]) -> list[str]:
    """The words of `check`, with a script and what follows it behind a `--`."""
    from reference.check.command import is_run

    ours, script = _split(words, "check")
    return [*ours, *script] if script and is_run(script[0]) else [*ours, "--", *script]


def _split(words: list[str], command: str) -> tuple[list[str], list[str]]:
    """(our words, the script's): what follows SCRIPT, or stands from -m on, isn't ours to read."""
    at = words.index(command) + 1
    while words[at : at + 1] and words[at].startswith("-") and words[at] not in ("-m", "--"):
        at += 2 if words[at] in VALUED else 1
    return words[:at], words[at + 1 :] if words[at : at + 1] == ["--"] else words[at:]


def _own_options(ours: list[str], script: list[str]) -> dict[str, Any]:
    """What `observe`'s own options say. Raises InputError, and click's Exit after --help."""
    before, options = ours[: ours.index("observe") + 1], ours[ours.index("observe") + 1 :]
    observe = program.commands["observe"]
    try:
        with program.make_context(_name(), before) as root:
            arguments = [*options, "--", *script] if script else options
            ctx = observe.make_context("observe", arguments, parent=root)
            return {name: value for name, value in ctx.params.items() if name != "program"}
    except click.UsageError as error:
        raise in_one_line(error) from None


def _name() -> str:
    """How this program was called, for its help and its errors."""
    called = Path(next(iter(sys.argv), "")).name  # no word at all where Python is embedded
    return PROGRAM if called.startswith(PROGRAM) else "python -m reference"
