"""A process that imports once, and forks the processes that would each import the same.

    python -m reference compare

PyTorch, transformers and datasets take about 5 s of CPU to import. A process forked from one that
has done so begins at once. It runs the same command, `python -m MODULE ARGUMENTS`, with the same
log, input, signals and exit code as a new process (`workers.NewProcesses`).

For Linux and for CPUs: macOS's own libraries don't survive a fork, Windows has none, and neither
does a GPU's driver once it was used. A process that has threads must not be forked either: a fork
takes one thread along, and a lock that another one held stays locked for ever. So the server counts
its threads before each fork. Where a library has started some, the forked process is replaced by a
new Python, which imports anew; its log says so.
"""

import gc
import importlib
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from reference.process.workers import POLL, Worker

# What keeps libraries from starting threads when they are imported: the jemalloc of pyarrow 26
# (which doesn't allocate by it), and the OpenBLAS of NumPy and SciPy.
NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "OMP_NUM_THREADS": "1"}


class Forked:
    """A process that the server forked. See `workers.Worker`."""

    def __init__(self, pid: int, server: "ForkServer") -> None:
        self.pid = pid
        self._server = server

    def poll(self) -> int | None:
        """The exit code, or minus the number of a signal; None while it runs."""
        return self._server.exit_code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended; subprocess.TimeoutExpired after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self._server.wait_for_word(POLL)
        return code


@dataclass(frozen=True)
class Ended:
    """A process that never was: the server died instead of forking it. See `workers.Worker`."""

    pid: int
    code: int

    def poll(self) -> int | None:
        """Its exit code, or minus the number of the signal that killed the server."""
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        """The same."""
        return self.code


class ForkServer:
    """Starts processes by forking them from a server, which is started with the first of them.

    Args:
        preload: the modules that the server imports. An error in one of them is the forked
            process's to meet and to report, when it imports the module itself.
        environment: variables set in the server and in the processes, beside those of this one.
    """

    def __init__(self, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        self._preload = preload
        self._environment = environment
        self._server: subprocess.Popen[bytes] | None = None
        self._codes: dict[int, int] = {}  # of the forked processes that have ended

    def __enter__(self) -> Self:
        self._input, self._held = os.pipe()
        self._connection, self._theirs = Pipe()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()  # by which a server that serves ends
        self._theirs.close()
        os.close(self._held)
        os.close(self._input)
        if self._server is not None:
            self._server.terminate()  # one that still imports
            self._server.wait()

    def start(self, arguments: Sequence[str], log: Path) -> Worker:
        """Run `python *arguments`, which have to begin with `-m`. See `workers.Starter.start`."""
        log.write_bytes(b"")
        if self._server is None:
            self._server = self._start_server(log)
        try:
            self._connection.send((list(arguments), str(log.absolute())))
            while True:
                pid, code = self._connection.recv()
                if code is None:
                    return Forked(pid, self)
                self._codes[pid] = code
        except (EOFError, OSError):
            code = self._server.wait() or 1  # whatever it says, nothing was trained
            with open(log, "a") as output:
                output.write(f"the process that imports for all loops ended with code {code}\n")
            return Ended(self._server.pid, code)

    def _start_server(self, log: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "reference.process.fork_server_main"]
        command.append(str(os.getpid()))
        with open(log, "ab") as output:  # what an import says stands in the first task's log
            server = subprocess.Popen(
                [*command, str(self._theirs.fileno()), *self._preload],
                stdin=self._input,  # also that of the forked processes
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment, **NO_THREADS},
                pass_fds=[self._theirs.fileno()],
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
        self._theirs.close()  # so that the server's end is noticed here
        return server

    def exit_code(self, pid: int) -> int | None:
        """The exit code of a forked process, None while it runs; of a dead server, the server's."""
        try:
            while pid not in self._codes and self._connection.poll():
                ended, code = self._connection.recv()
                self._codes[ended] = code
        except (EOFError, OSError):
            assert self._server is not None
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            self._codes.setdefault(pid, self._server.wait() or 1)
        return self._codes.get(pid)

    def wait_for_word(self, seconds: float) -> None:
        """Return when the server has something to say, or after so many seconds."""
        self._connection.poll(seconds)


def serve(connection: Connection) -> list[str] | None:
    """Fork a process for each request, and report each that has ended.

    Returns:
        In the server None, when nobody is left who could ask; in each forked process its arguments.

    Raises:
        OSError: no process can be forked, or one can't begin. It ends the server, or that process,
            with a traceback and exit code 1.
    """
    children: set[int] = set()
    while True:
        try:
            request = connection.recv() if connection.poll(POLL / 2) else None
        except (EOFError, OSError):  # the process that started the server has ended
            return None
        if request is not None:
            arguments, log = request
            threads = len(os.listdir("/proc/self/task"))
            pid = _fork(connection)
            if pid == 0:
                _begin(arguments, log, threads)
                return list(arguments)
            children.add(pid)
            if not _tell(connection, (pid, None)):
                return None
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.remove(pid)
                if not _tell(connection, (pid, os.waitstatus_to_exitcode(status))):
                    return None


def _fork(connection: Connection) -> int:
    """`os.fork`, which returns in the server when the new process has a session of its own."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or what an import has printed is in the buffer of both
    ready, its_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        # A session of its own, before anybody can send it a signal: Linux shares the cores out
        # among sessions first, where other work waits for them as well.
        os.setsid()
        connection.close()
        os.close(ready)
        os.close(its_end)
        return 0
    os.close(its_end)
    os.read(ready, 1)  # ends when the new process has closed its end, or has died
    os.close(ready)
    return pid


def _tell(connection: Connection, word: tuple[int, int | None]) -> bool:
    """Send a process's number and exit code; False if nobody is left to hear it."""
    try:
        connection.send(word)
    except OSError:
        return False
    return True


def _begin(arguments: Sequence[str], log: str, threads: int) -> None:
    """Give a forked process its log and random numbers of its own, as a new process has them.

    One that was forked from a server with threads becomes a new Python.
    """
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    if threads > 1:
        print(
            f"imports started threads ({threads - 1}), so that no fork is safe; importing anew",
            file=sys.stderr,
            flush=True,
        )
        os.execv(sys.executable, [sys.executable, *arguments])
    # Unseeded draws of two loops must not be equal because both have the server's state. Only the
    # hash seed is shared: the order of a set of strings is the same in all forked processes.
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def main(words: Sequence[str]) -> None:
    """Import, serve, and run what a forked process is for: FILE-DESCRIPTOR MODULE..."""
    connection = Connection(int(words[0]))
    for module in words[1:]:
        with suppress(Exception):  # whoever imports it in a forked process meets it again
            importlib.import_module(module)
    del os.environ["JE_ARROW_MALLOC_CONF"]
    gc.collect()
    gc.freeze()  # or each process's collector would write to, and so copy, what all could share
    arguments = serve(connection)
    if arguments is not None:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
