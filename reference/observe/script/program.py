"""A script or module, found and run as `python SCRIPT ARGS` and `python -m MODULE ARGS` run it.

The program sees what it sees without us: arguments, path, `__main__`. What comes out is its own:
output, traceback, exit code.
"""

import builtins
import importlib.util
import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from reference.errors import InputError
from reference.process.bounded_files import check_name

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


def find_program(words: list[str], command: str) -> Program:
    """The program that these words name.

    Args:
        words: `SCRIPT ARGS...` or `-m MODULE ARGS...`.
        command: that was given them, for a message.

    Raises:
        InputError: there is no such program.
    """
    if not words or words == ["-m"]:
        raise InputError(f"{command}: no script; give SCRIPT [ARGS...] or -m MODULE [ARGS...]")
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


def execute(program: Program) -> None:
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


def ended_by(error: BaseException) -> int:
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
