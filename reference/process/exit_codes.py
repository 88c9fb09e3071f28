"""How a command ends: with its exit code, or with one line of what stopped it.

python -m reference compare
"""

import gc
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from reference.errors import RunError, TrainingFailed
from reference.messages import coloured, in_the_middle, plain
from reference.process.rank_errors import has_failed, is_new, tell_torchrun
from reference.process.signals import Stopped, signals_raise

SAYS = "reference: error: "  # what an error of ours begins with, on the command line
LONGEST = 1200  # letters of a line: a damaged file's field may be called anything


def ended(
    command: Callable[[], int],
    *,
    says: str = "error: ",
    errors: type[Exception] = RunError,
    debug: bool = False,
) -> int:
    """Run a command; whatever stops it becomes one line on stderr and an exit code.

    Args:
        command: returns its exit code.
        says: what the line begins with.
        errors: what is taken for an answer to the user; any other error passes through.
        debug: whether a traceback goes before the line.

    Returns:
        The command's exit code; an error's own; 130 after Ctrl-C, 128 and its number after a
        signal, 141 where the reader of our output has gone.
    """
    try:
        with signals_raise():
            return command()
    except (KeyboardInterrupt, Stopped) as stopped:
        words, code = last_words(stopped)
        # torchrun stops the others of one that failed
        silent = isinstance(stopped, Stopped) and has_failed()
        return code if silent else fail(stopped, says + words, code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except errors as error:
        return failed(error, says, debug)


def failed(error: Exception, says: str, debug: bool) -> int:
    """Say what an error was, and return its exit code.

    That is never 1, which says that two runs diverged.
    """
    if debug:
        traceback.print_exc()
    words, code = last_words(error)
    return fail(error, says + words, code)


def last_words(error: BaseException) -> tuple[str, int]:
    """What is said of whatever stopped a command, and the command's exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C", 130
    if isinstance(error, RunError | Stopped):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}", TrainingFailed.exit_code
    words = f"unexpected {type(error).__name__}: {error}; see where with --debug"
    return words, TrainingFailed.exit_code


def fail(error: BaseException, line: str, code: int) -> int:
    """Write a line to stderr, below any progress bar, and return `code`.

    A loop's bar closes when the frame that holds it is cleared. Of the processes of one torchrun
    only the first one to come to a line writes it.
    """
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__
    gc.collect()  # the Trainer's progress bar is part of a reference cycle
    _write(line)
    return code


def end_process(line: str, code: int = TrainingFailed.exit_code) -> NoReturn:
    """Write an error to stderr, in a line that begins as all of ours, and end this process at once.

    For a thread beside a training that waits within torch, and can't be told.
    """
    with suppress(OSError):
        print(file=sys.stderr)  # below the bar of a loop, which nobody closes
    _write(f"{SAYS}{line}")
    os._exit(code)


def _write(line: str) -> None:
    words = in_the_middle(plain(" ".join(line.split())), LONGEST)
    tell_torchrun(words)
    if not is_new(words):
        return
    with suppress(OSError):  # a closed terminal takes no more words
        print(coloured(words, sys.stderr), file=sys.stderr, flush=True)
