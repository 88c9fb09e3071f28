"""Processes that are started here: each with a log, a few at once, none left behind.

`take_turns` watches the processes of `python -m reference compare` and of the matrix. A starter
starts them: `NewProcesses` here, or `fork_server.ForkServer`, which imports once for all of them.

A process ends with the one that started it, however that ends, if it calls
`signals.stop_at_end_of_input`: its standard input is a pipe whose other end nobody writes to and
only the starter holds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self, TypeVar

from reference.errors import InputError, RunError, TrainingFailed, WorkerDied
from reference.messages import last_line

POLL = 0.2  # seconds between two looks at the processes
GRACE = 5.0  # seconds that a process has to end in after SIGTERM, before it is killed

Task = TypeVar("Task")

_calls: "set[subprocess.Popen[str]]" = set()  # the commands that `call` waits for now


class Worker(Protocol):
    """A process that was started here; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """The number of the process."""

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that killed it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended; subprocess.TimeoutExpired after `timeout` seconds."""


class Starter(Protocol):
    """Starts processes; a context manager, which has to outlive them."""

    def start(self, arguments: Sequence[str], log: Path) -> Worker:
        """Run `python *arguments` in a session of its own, its output in the new file `log`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class NewProcesses:
    """Starts each process as a new Python, which imports what it needs.

    Args:
        environment: variables set in the processes, beside those of this one.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> Self:
        self._input, self._held = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)
        os.close(self._input)

    def start(self, arguments: Sequence[str], log: Path) -> Worker:
        """See `Starter.start`."""
        with open(log, "wb") as output:
            return subprocess.Popen(
                [sys.executable, *arguments],
                stdin=self._input,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,  # Ctrl-C is ours to pass on
            )


def take_turns(
    tasks: Iterable[Task],
    at_once: int,
    start: Callable[[Task], Worker],
    look: Callable[[Task, int | None], None],
) -> None:
    """Run all tasks, `at_once` at a time, in their order. Whatever is raised here ends them all.

    Args:
        tasks: hashable values, each of a process to be.
        at_once: how many processes may run at the same time.
        start: starts a task's process.
        look: called for each running task every `POLL` seconds with None, and once with its exit
            code (`Worker.poll`) when it has ended. What it raises ends all other processes.
    """
    waiting = list(tasks)
    running: dict[Task, Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                task = waiting.pop(0)
                running[task] = start(task)
            for task, worker in list(running.items()):
                code = worker.poll()
                if code is not None:
                    del running[task]
                look(task, code)
            if running:
                time.sleep(POLL)
    finally:
        stop(list(running.values()))


def stop(workers: Sequence[Worker]) -> None:
    """End processes, and whatever these have started: by SIGTERM, and after `GRACE` by SIGKILL."""
    for worker in workers:
        _signal(worker, signal.SIGTERM)
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(GRACE)
        _signal(worker, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has no SIGKILL
        worker.wait()


def _signal(worker: Worker, number: int) -> None:
    # Each is the first of a session, and so of a group of processes, which has its number.
    send = os.killpg if hasattr(os, "killpg") else os.kill
    with suppress(OSError):  # all of them have ended
        send(worker.pid, number)


def call(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end. Whatever stops this process ends it, and all that it has started.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: all of its variables; those of this process if there are none.

    Returns:
        Its exit code, and what it wrote to stdout and to stderr.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _calls.add(process)
    try:
        out, err = process.communicate()
    except BaseException:
        stop([process])
        raise
    finally:
        _calls.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def stop_calls() -> None:
    """End the commands of all threads: Ctrl-C and signals reach the main thread alone."""
    stop(list(_calls))


def first_failed(codes: Mapping[int, int | None]) -> int | None:
    """Which of processes that need each other failed first; None where none has.

    One that was killed takes the others with it.

    Args:
        codes: each one's exit code by its rank, as `Worker.poll` gives it.
    """
    failed = {rank: code for rank, code in codes.items() if code}
    return min(failed, key=lambda rank: (failed[rank] > 0, rank), default=None)


def failure(name: str, code: int, log: Path) -> RunError:
    """The error for a process that ended with another code than 0.

    Args:
        name: what the process was for, as a message names it.
        code: its exit code, as `Worker.poll` gives it.
        log: its output; the last line with `error: ` in it is taken for the reason.

    Returns:
        InputError for exit code 2 and TrainingFailed for 3, with the reason that the process gave,
        as the command line ends with these; else WorkerDied.
    """
    text = log.read_text(errors="replace")
    said = [line for line in text.splitlines() if "reference: error: " in line]
    line = said[-1].split("error: ", 1)[-1] if said else last_line(text).split("error: ", 1)[-1]
    if code == InputError.exit_code:
        return InputError(line)
    if code == TrainingFailed.exit_code:
        return TrainingFailed(f"{name}: {line}")
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return WorkerDied(f"{name} {how}: {line}; see {log}")
