"""One side's process: runs its script as Python does, and holds it at each link.

It is started by `pair.py`, with one socket to the other side and one to its parent.
"""

import functools
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from reference.errors import InputError
from reference.lockstep.wire import Connection, PeerGone
from reference.observe.script.evaluate_scores import scores_taken
from reference.observe.script.import_hook import ImportHook
from reference.observe.script.program import INTERRUPTED, ended_by, execute, find_program
from reference.process.search_path import put_working_directory_back

if TYPE_CHECKING:  # they import torch
    from reference.lockstep.follower import Follower
    from reference.lockstep.leader import Leader
    from reference.lockstep.side_report import Report
    from reference.lockstep.torch_hooks import TorchHooks


class Over(SystemExit):
    """There is nothing more to be compared: the script is ended."""


class OneSide:
    """A script, and its hooks once it has imported torch."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        ends = (socket.socket(fileno=options[name]) for name in ("peer", "parent"))
        self._peer, self._parent = (Connection(end) for end in ends)
        for name in ("peer", "parent"):
            os.set_inheritable(options[name], False)
        self._peer.on_wait = lambda waits: self._parent.send({"kind": "waits", "waits": waits})
        self._process = os.getpid()
        self._hooks: TorchHooks | None = None
        self._report: Report | None = None
        self._side: Leader | Follower | None = None
        self._patches = ExitStack()
        self._failed = False
        self._error = ""  # the class of the one that ended the script

    def run(self, words: Sequence[str]) -> int:
        """Run the script to its end; its exit code."""
        put_working_directory_back()
        try:
            program = find_program(list(words), "lockstep")
        except InputError as error:
            self._parent.send({"kind": "no program", "why": str(error)})
            return InputError.exit_code
        if program.spec is not None and program.spec.name.partition(".")[0] == "reference":
            # Its own import of torch comes from a module that the hooks need whole.
            import torch as _torch  # noqa: F401
        return self.call(lambda: execute(program))

    def call(self, function: Callable[[], Any]) -> int:
        """Call a function that trains; the exit code of a script that did the same."""
        imports = ImportHook({"torch": self._begin, "evaluate": self._take_scores})
        imports.install()
        try:
            function()
            code = 0
        except Over:
            code = 0
        except BaseException as error:
            code, self._error = ended_by(error), type(error).__name__
        if os.getpid() != self._process:
            return code  # a child that came to the script's end
        imports.remove()
        self._patches.close()
        sys.stdout.flush()
        sys.stderr.flush()
        if not self._failed:
            self._end(code)
        return code

    def _begin(self) -> None:
        """Torch is there."""
        from reference.lockstep.side_report import Report
        from reference.lockstep.torch_hooks import TorchHooks

        self._report = Report(self._parent)
        if self._options["role"] == "A":
            from reference.lockstep.leader import Leader

            self._side = Leader(self._peer, self._report)
        else:
            from reference.lockstep.follower import Follower

            self._side = Follower(
                self._peer, self._report, self._options["put"], self._options["leave_out"]
            )
        self._hooks = TorchHooks(self._guarded(self._side))
        self._hooks.install()

    def _take_scores(self) -> None:
        """What `evaluate` computes are an evaluation's scores."""
        self._patches.enter_context(scores_taken(self._add_scores))

    def _add_scores(self, scores: dict[str, float]) -> None:
        if self._side is not None and os.getpid() == self._process:
            self._side.watcher.evaluations.take_scores(scores)

    def _guarded(self, side: Any) -> Any:
        """The side with its methods guarded: what fails there is no error of the script's."""
        return _Guarded(side, self._options["steps"], self._fail)

    def _fail(self, error: BaseException) -> None:
        self._failed = True
        if isinstance(error, PeerGone):
            self._parent.send({"kind": "alone"})
        else:
            words = f"{type(error).__name__}: {error}"
            text = "".join(traceback.format_exception(error))
            self._parent.send({"kind": "failed", "why": words, "traceback": text})
        if self._hooks is not None:
            self._hooks.remove()

    def _end(self, code: int) -> None:
        if self._hooks is not None:
            self._hooks.remove()
        if code or self._side is None or code == INTERRUPTED:
            ended = {"code": code, "steps": self._steps, "error": self._error}
            self._parent.send({"kind": "end", **ended})
            return
        try:
            more = self._side.end() or {}
        except PeerGone:
            more = {}
        except Exception as error:
            self._fail(error)
            return
        self._parent.send({"kind": "end", "code": code, "steps": self._steps, **more})

    @property
    def _steps(self) -> int:
        return 0 if self._side is None else self._side.watcher.step - 1


class _Guarded:
    """A side whose own errors end the comparison, while those of the script's code pass through."""

    def __init__(self, side: Any, steps: int | None, fail: Callable[[BaseException], None]) -> None:
        self._side, self._steps, self._fail = side, steps, fail
        self._process = os.getpid()
        self._of_script: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._side, name)

        @functools.wraps(method)
        def guarded(*args: Any) -> Any:
            if os.getpid() != self._process:
                return self._of_a_child(name, args)
            last = self._steps
            if name == "pass_begins" and last is not None and self._side.watcher.step > last:
                raise Over
            try:
                return method(*(self._watch(arg) for arg in args))
            except Exception as error:
                if error is self._of_script:
                    raise
                self._fail(error)
                raise Over from None

        setattr(self, name, guarded)
        return guarded

    def _watch(self, arg: Any) -> Any:
        """A function of the script's or of torch's: what it raises is the script's."""
        if not callable(arg) or isinstance(arg, type) or not hasattr(arg, "__code__"):
            return arg

        @functools.wraps(arg)
        def watched(*args: Any, **kwargs: Any) -> Any:
            try:
                return arg(*args, **kwargs)
            except BaseException as error:
                self._of_script = error
                raise

        return watched

    @staticmethod
    def _of_a_child(name: str, args: tuple[Any, ...]) -> Any:
        """In a process that was forked from this one nothing is held."""
        if name == "loss":
            _, function, positional, keywords = args
            return function(*positional, **keywords)
        if name == "backward":
            args[1]()
        return args[1] if name == "loader_yields" else None


def main() -> int:
    """The side that this process was started for."""
    options = json.loads(sys.argv.pop(1))
    words = sys.argv[1:]
    return OneSide(options).run(words)
