"""Runs a script, or a module, as `python SCRIPT ARGS` and `python -m MODULE ARGS` do, observed.

    python -m reference observe train.py --learning_rate 3e-5
    accelerate launch --num_processes 2 -m reference observe train.py

The program sees what it sees without an observer: arguments, path, `__main__`, stdin, signals,
environment. What comes out is its own: output, traceback, exit code. This process does nothing
after it, so nothing is put back: what the program left to run at exit finds all as the program had
it.
"""

import os
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.messages import say
from reference.observe.script.closing_words import host_text, no_steps_text, steps_text
from reference.observe.script.launcher import launched
from reference.observe.script.observation import Observation, program_record
from reference.observe.script.program import INTERRUPTED, ended_by, execute, find_program
from reference.observe.script.shared_folder import (
    PROGRAM_FILE,
    folder_of,
    take_folder,
    wait_for_others,
)
from reference.process.search_path import put_working_directory_back


def observe(
    words: list[str],
    run_dir: Path | None = None,
    *,
    inside: Collection[int] = (),
    until: int | None = None,
    hold_ranks: Callable[[Path], str] | None = None,
) -> int:
    """Run a program, and keep its ledger.

    Args:
        words: `SCRIPT ARGS...` or `-m MODULE ARGS...`.
        run_dir: a new folder; by default one under `runs/`, named after the program.
        inside: the steps of which the ledger also gets the calls within the model.
        until: the step after which SystemExit ends the program.
        hold_ranks: what to say of the ranks of a run, given its folder, when all have ended; it is
            called by rank 0 of several, and says '' where there is nothing to be said.

    Returns:
        The program's own exit code; but 2 where it is the only process, and succeeds without an
        optimizer step. A launcher would take that for a failure, and end the other processes.

    Raises:
        InputError: where there is no such program, the folder isn't free, or nothing can be written
            in it: the program isn't run then. A disk that is full later ends the ledger alone.
        KeyboardInterrupt: where the program was stopped by it; its traceback is already shown.
    """
    launch = launched()
    put_working_directory_back()
    try:
        program = find_program(words, "observe")
    except InputError:
        raise
    except BaseException as error:  # out of a package's own `__init__`
        return ended_by(error)
    folder = folder_of(run_dir, program.stem, launch)
    record = program_record(program.name, program.arguments, program.source)
    record |= {"cwd": os.getcwd(), "module": program.spec is not None}  # to run it again
    path = take_folder(folder, record, launch)
    observation = Observation(path, record, launch, inside=inside, until=until)
    observation.begin()
    try:
        execute(program)
        code = 0
    except BaseException as error:
        code = ended_by(error)
    if observation.forked:
        return code  # a child that came to the program's end; the ledger is its parent's
    observation.end(complete=code == 0 and not observation.ended_as_asked)
    if launch.world_size == 1:
        _leave_nothing_empty(observation)
    if not observation.steps:
        say(no_steps_text(program.name, observation, code, launch))
    elif launch.rank == 0:
        say(steps_text(observation, folder))
        never = [step for step in sorted(inside) if step > observation.steps]
        if never:
            say(f"--inside {never[0]}: there was no such step; give one of those that were taken")
    elif launch.is_first_of_host and not (path / LEDGER_FILE).exists():
        say(host_text(folder, launch))
    if launch.rank == 0 and launch.world_size > 1 and hold_ranks is not None and code == 0:
        said = hold_ranks(path) if wait_for_others(path, launch) else ""
        if said:
            say(said)
    if code == INTERRUPTED:
        # When nobody catches it, Python ends itself by the signal, as it does for any script.
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    lacks_training = not observation.steps and launch.world_size == 1
    return code or (InputError.exit_code if lacks_training else 0)


def _leave_nothing_empty(observation: Observation) -> None:
    """Remove the folder if nothing was written in it but what the program is, and its end."""
    ledger = observation.ledger
    if observation.writer.holds_an_end_alone and not observation.lost:
        ledger.unlink(missing_ok=True)
    if not ledger.exists():
        (ledger.parent / PROGRAM_FILE).unlink(missing_ok=True)
        with suppress(OSError):  # another process's ledger is there
            ledger.parent.rmdir()
