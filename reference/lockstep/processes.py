"""How a side's process begins: a new Python for a script, a fork of this one for a function."""

import contextlib
import json
import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any

from reference.ledger.record import Record
from reference.process.new_python import words_for
from reference.process.workers import Worker

Words = Sequence[str]
Function = Callable[[], Any]


class Process:
    """A side's process, and what it prints.

    Args:
        worker: The process.
        outputs: The ends of its stdout and stderr.
    """

    def __init__(self, worker: Worker, outputs: tuple[IO[bytes], IO[bytes]]) -> None:
        self.worker = worker
        self.outputs = outputs


def start_script(words: Words, options: Record, python: str) -> Process:
    """A new Python that runs a script. Its sockets' numbers are among the options."""
    process = subprocess.Popen(
        [python, *words_for("reference.lockstep.side"), json.dumps(options), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(options["peer"], options["parent"]),
        start_new_session=True,  # Ctrl-C is ours to pass on
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    return Process(process, (process.stdout, process.stderr))


class _Forked:
    """A child of this process, which runs a function of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has ended; subprocess.TimeoutExpired after `timeout` seconds."""
        if timeout is None and self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        elif self._code is None:
            import time

            deadline = time.monotonic() + (timeout or 0)
            while self.poll() is None:
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired("a function", timeout or 0)
                time.sleep(0.01)
        assert self._code is not None
        return self._code


def start_function(function: Function, options: Record, others: Sequence[int]) -> Process:
    """A fork of this process that calls a function, with one thread.

    Torch's other threads are gone in a fork, and whoever waits for them waits for ever.

    Args:
        function: To be called.
        options: As a script's.
        others: Sockets that are not this side's.
    """
    ends = [os.pipe(), os.pipe()]
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Of a fork beside threads: the child has one, which takes no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        for _, write in ends:
            os.close(write)
        return Process(_Forked(pid), (os.fdopen(ends[0][0], "rb"), os.fdopen(ends[1][0], "rb")))
    code = 1
    try:
        code = _child(function, options, others, [write for _, write in ends])
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _child(function: Function, options: Record, others: Sequence[int], outputs: list[int]) -> int:
    os.setsid()
    for other in others:
        os.close(other)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (outputs[0], 1), (outputs[1], 2)):
        os.dup2(source, target)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False, buffering=1)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    from reference.lockstep.side import OneSide

    return OneSide(options).call(function)
