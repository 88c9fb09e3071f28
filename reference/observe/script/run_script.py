"""Runs a script, or a module, as `python SCRIPT ARGS` and `python -m MODULE ARGS` do, observed.

    python -m reference observe train.py --learning_rate 3e-5
    accelerate launch --num_processes 2 -m reference observe train.py

The program sees what it sees without an observer: arguments, path, `__main__`, stdin, signals,
environment. What comes out is its own: output, traceback, exit code. This process does nothing
after it, so nothing is put back: what the program left to run at exit finds all as the program had
it.
"""

import builtins
import importlib.util
import os
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.messages import say
from reference.observe.script.closing_words import host_text, no_steps_text, steps_text
from reference.observe.script.launcher import launched
from reference.observe.script.observation import Observation, program_record
from reference.observe.script.shared_folder import (
    PROGRAM_FILE,
    folder_of,
    take_folder,
    wait_for_others,
)
from reference.process.bounded_files import check_name
from reference.process.search_path import put_working_directory_back

OURS = str(Path(__file__).parents[2]) + os.sep
INTERRUPTED = 130


@dataclass(frozen=True)
class Program:
    """A script or module as it lies on the disk, not yet compiled."""

    name: str  # as it was given
    arguments: list[str]
    path: str  # absolute
    source: bytes
    spec: ModuleSpec | None  # of a module

    @property
    def stem(self) -> str:
        """What a run of it is called: of a package its name, not `__main__`."""
        return Path(self.path).stem if self.spec is None else self.name.rpartition(".")[2]


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
        program = _find(words)
    except InputError:
        raise
    except BaseException as error:  # out of a package's own `__init__`
        return _ended_by(error)
    folder = folder_of(run_dir, program.stem, launch)
    record = program_record(program.name, program.arguments, program.source)
    record |= {"cwd": os.getcwd(), "module": program.spec is not None}  # to run it again
    path = take_folder(folder, record, launch)
    observation = Observation(path, record, launch, inside=inside, until=until)
    observation.begin()
    try:
        _execute(program)
        code = 0
    except BaseException as error:
        code = _ended_by(error)
    if observation.forked:
        return code  # a child that came to the program's end; the ledger is its parent's
    observation.end(complete=code == 0 and not observation.ended_as_asked)
    if launch.world_size == 1:
        _leave_nothing_empty(observation.ledger)
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


def _find(words: list[str]) -> Program:
    if not words or words == ["-m"]:
        raise InputError("observe: no script; give SCRIPT [ARGS...] or -m MODULE [ARGS...]")
    return _find_module(words[1], words[2:]) if words[0] == "-m" else _find_script(*words)


def _find_script(name: str, *arguments: str) -> Program:
    check_name(name)
    path = os.path.join(os.getcwd(), name)  # as Python makes `__file__` of it
    try:
        source = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name}: no such script; give SCRIPT, or -m MODULE") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; give the script in it") from None
    except OSError as error:
        raise InputError(f"{name}: can't be read ({error.strerror}); give a script") from None
    if name.endswith(".ipynb"):
        raise InputError(
            f"{name}: is a notebook; export it with jupyter nbconvert --to script, or use "
            "reference.observe.script.observing in its cells"
        )
    return Program(name, list(arguments), path, source, None)


def _find_module(name: str, arguments: list[str]) -> Program:
    sys.argv = ["-m", *arguments]  # what a package's `__init__` sees
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    except ValueError:  # no name of a module
        spec = None
    if spec is None or spec.origin is None or not os.path.isfile(spec.origin):
        raise InputError(f"-m {name}: no such module that can be run; see that it is on the path")
    return Program(name, arguments, spec.origin, Path(spec.origin).read_bytes(), spec)


def _execute(program: Program) -> None:
    """Compile and run it as `__main__`."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if program.spec is None:
        sys.argv = [program.name, *program.arguments]
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(program.path))
        loader: Any = SourceFileLoader("__main__", program.path)
        code = compile(program.source, program.path, "exec", dont_inherit=True)
        main.__dict__["__cached__"] = None
    else:
        sys.argv = [program.path, *program.arguments]
        loader = program.spec.loader
        code = loader.get_code(program.spec.name)
        main.__spec__ = program.spec
        main.__package__ = program.spec.parent
        main.__dict__["__cached__"] = program.spec.cached
    main.__file__, main.__loader__ = program.path, loader
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def _ended_by(error: BaseException) -> int:
    """Print what Python would print of the error that ended the program; its exit code."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    error.__traceback__ = _without_ours(error.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    sys.excepthook(type(error), error, error.__traceback__)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback less the frames of this package, and of the import that we asked for."""
    while traceback is not None and _is_ours(traceback):
        traceback = traceback.tb_next
    last = traceback
    while last is not None:
        following = last.tb_next
        while following is not None and _is_ours(following):
            following = following.tb_next
        last.tb_next = following
        last = following
    return traceback


def _is_ours(traceback: TracebackType) -> bool:
    name = traceback.tb_frame.f_code.co_filename
    return name.startswith((OURS, "<frozen importlib"))


def _leave_nothing_empty(ledger: Path) -> None:
    """Remove the folder if nothing was written in it but the program's name."""
    if not ledger.exists():
        (ledger.parent / PROGRAM_FILE).unlink(missing_ok=True)
        with suppress(OSError):  # another process's ledger is there
            ledger.parent.rmdir()
